// SPDX-License-Identifier: Apache-2.0
#ifndef RPF_SURVEY_H
#define RPF_SURVEY_H

#include <napi.h>

namespace rpf
{

// JS thread. NativeAddon.survey(), neighbours() and trials() of src/native.ts.
Napi::Value Survey(const Napi::CallbackInfo &info);
Napi::Value Neighbours(const Napi::CallbackInfo &info);
Napi::Value Trials(const Napi::CallbackInfo &info);

} // namespace rpf

#endif
