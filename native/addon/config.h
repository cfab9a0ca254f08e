// SPDX-License-Identifier: Apache-2.0
#ifndef RPF_CONFIG_H
#define RPF_CONFIG_H

#include <memory>
#include <string>
#include <vector>

#include <napi.h>

#include "rpf_core.h"

namespace rpf
{

// What NativeConfig of src/native.ts becomes. raw points into expression, so it is neither copied nor moved.
struct Config {
	rpf_config raw{};
	std::string expression;

	Config() = default;
	Config(const Config &) = delete;
	Config &operator=(const Config &) = delete;
};

// JS thread. Throws a TypeError or RangeError that names the member.
// NativePodKeys of src/native.ts. Throws as ReadConfig() does.
std::vector<rpf_pod_key> ReadPodKeys(const Napi::Value &value);

std::unique_ptr<Config> ReadConfig(const Napi::Value &value);

// JS thread. A whole number from 0 to max, or a TypeError or RangeError that names it.
uint32_t ReadUint32(const Napi::Value &value, const std::string &name, uint32_t max = UINT32_MAX);

// JS thread. A bigint from 0 to 2^64 - 1, or a TypeError or RangeError that names it.
uint64_t ReadUint64(const Napi::Value &value, const std::string &name);

// JS thread. A string without NUL, in UTF-8, or a TypeError that names it.
std::string ReadString(const Napi::Value &value, const std::string &name);

// JS thread. What a value is, for error messages: "a string", "null", ...
std::string Describe(const Napi::Value &value);

} // namespace rpf

#endif
