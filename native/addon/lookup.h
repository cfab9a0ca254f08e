// SPDX-License-Identifier: Apache-2.0
#ifndef RPF_LOOKUP_H
#define RPF_LOOKUP_H

#include <napi.h>

namespace rpf
{

// JS thread. NativeAddon.route(), rules(), ruleset(), setting() and settings() of src/native.ts.
Napi::Value LookUpRoute(const Napi::CallbackInfo &info);
Napi::Value ReadRules(const Napi::CallbackInfo &info);
Napi::Value ReadRuleset(const Napi::CallbackInfo &info);
Napi::Value ReadSetting(const Napi::CallbackInfo &info);
Napi::Value ReadSettings(const Napi::CallbackInfo &info);

} // namespace rpf

#endif
