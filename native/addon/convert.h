// SPDX-License-Identifier: Apache-2.0
#ifndef RPF_CONVERT_H
#define RPF_CONVERT_H

#include <string>

#include <napi.h>

#include "rpf_core.h"

namespace rpf
{

// All of these: JS thread.

// An Error with code, errno (negative, as Node has it) and message.
Napi::Error ToError(Napi::Env env, const char *code, int err, const std::string &message);
Napi::Error ToError(Napi::Env env, const rpf_error &error);
// For functions of the core that say no more than an errno: "what: strerror".
Napi::Error ToError(Napi::Env env, int err, const std::string &what);

Napi::Object ToObject(Napi::Env env, const struct rpf_stats &stats);
Napi::Object ToObject(Napi::Env env, const rpf_total &total);
Napi::Object ToObject(Napi::Env env, const rpf_netns_counter &counter);

} // namespace rpf

#endif
