// SPDX-License-Identifier: Apache-2.0
#include "config.h"

#include <arpa/inet.h>

#include <cmath>
#include <cstring>
#include <functional>

namespace rpf
{

namespace
{

// Of tracepoint kfree_skb, on the kernels that there have been.
constexpr uint32_t kFewestArguments = 2;
constexpr uint32_t kMostArguments = 4;

using Reader = void (*)(const Napi::Value &value, const std::string &name, Config &config);

constexpr uint64_t MAX_SAFE_INTEGER = (1ULL << 53) - 1; // up to here each whole number is a double

uint64_t ReadWhole(const Napi::Value &value, const std::string &name, uint64_t max)
{
	if (!value.IsNumber())
		throw Napi::TypeError::New(value.Env(), name + " must be a number, not " + Describe(value));
	const double number = value.As<Napi::Number>().DoubleValue();
	if (!(number >= 0 && number <= static_cast<double>(max)) || number != std::floor(number))
		throw Napi::RangeError::New(value.Env(), name + " is " + value.ToString().Utf8Value() +
								 "; it must be a whole number from 0 to " +
								 std::to_string(max));
	return static_cast<uint64_t>(number);
}

// Calls read(element, name of the element) for each, after checking that they all fit.
void ReadArray(const Napi::Value &value, const std::string &name, uint32_t max,
	       const std::function<void(uint32_t index, const Napi::Value &element, const std::string &name)> &read)
{
	if (!value.IsArray())
		throw Napi::TypeError::New(value.Env(), name + " must be an array, not " + Describe(value));
	const auto array = value.As<Napi::Array>();
	if (array.Length() > max)
		throw Napi::RangeError::New(value.Env(), name + " has " + std::to_string(array.Length()) +
								 " elements; at most " + std::to_string(max) +
								 " fit, so name fewer or filter afterwards");
	for (uint32_t i = 0; i < array.Length(); i++)
		read(i, array.Get(i), name + "[" + std::to_string(i) + "]");
}

rpf_device_pattern ReadPattern(const Napi::Value &value, const std::string &name)
{
	rpf_device_pattern pattern{};
	const std::string text = ReadString(value, name);
	const bool prefix = !text.empty() && text.back() == '*';
	const std::string stem = prefix ? text.substr(0, text.size() - 1) : text;

	// IFNAMSIZ is 16 with the terminator, include/uapi/linux/if.h.
	if (text.empty() || stem.size() >= sizeof(pattern.name))
		throw Napi::RangeError::New(value.Env(), name + " is \"" + text +
								 "\"; a device name has 1 to 15 bytes, and a "
								 "trailing * matches any rest");
	std::memcpy(pattern.name, stem.data(), stem.size());
	// An exact name is compared with its terminator, a prefix without.
	pattern.length = static_cast<uint32_t>(prefix ? stem.size() : stem.size() + 1);
	return pattern;
}

bool ReadBoolean(const Napi::Value &value, const std::string &name)
{
	if (!value.IsBoolean())
		throw Napi::TypeError::New(value.Env(), name + " must be true or false, not " + Describe(value));
	return value.As<Napi::Boolean>().Value();
}

void ReadEvery(const Napi::Value &value, const std::string &name, Config &config)
{
	config.raw.every = ReadBoolean(value, name);
}

void ReadLegacy(const Napi::Value &value, const std::string &name, Config &config)
{
	config.raw.legacy = ReadBoolean(value, name);
}

void ReadProbeRead(const Napi::Value &value, const std::string &name, Config &config)
{
	config.raw.probe_read = ReadBoolean(value, name);
}

constexpr struct {
	const char *name;
	rpf_backend backend;
} kBackends[] = {
	{ "auto", RPF_BACKEND_AUTO },	  { "tracepoint", RPF_BACKEND_TRACEPOINT },
	{ "fentry", RPF_BACKEND_FENTRY }, { "fexit", RPF_BACKEND_FEXIT },
	{ "kprobe", RPF_BACKEND_KPROBE },
};

void ReadBackend(const Napi::Value &value, const std::string &name, Config &config)
{
	const std::string text = ReadString(value, name);
	std::string known;
	for (const auto &one : kBackends) {
		if (text == one.name) {
			config.raw.backend = one.backend;
			return;
		}
		known += (known.empty() ? "" : ", ") + std::string(one.name);
	}
	throw Napi::RangeError::New(value.Env(), name + " is \"" + text + "\"; there are " + known);
}

void ReadKfreeSkbArguments(const Napi::Value &value, const std::string &name, Config &config)
{
	const uint32_t arguments = ReadUint32(value, name, kMostArguments);
	if (arguments < kFewestArguments)
		throw Napi::RangeError::New(value.Env(), name + " must be 2, 3 or 4");
	config.raw.kfree_skb_arguments = arguments;
}

void ReadSnaplen(const Napi::Value &value, const std::string &name, Config &config)
{
	config.raw.snaplen = ReadUint32(value, name, RPF_MAX_SNAP);
}

void ReadRingBytes(const Napi::Value &value, const std::string &name, Config &config)
{
	config.raw.ring_bytes = ReadUint32(value, name);
}

void ReadFlowSlots(const Napi::Value &value, const std::string &name, Config &config)
{
	config.raw.flow_slots = ReadUint32(value, name);
}

void ReadTotalPairs(const Napi::Value &value, const std::string &name, Config &config)
{
	config.raw.total_pairs = ReadUint32(value, name);
}

void ReadInterval(const Napi::Value &value, const std::string &name, Config &config)
{
	config.raw.interval_ms = ReadUint32(value, name);
}

void ReadWholePerFlow(const Napi::Value &value, const std::string &name, Config &config)
{
	config.raw.whole_per_flow = ReadUint32(value, name);
}

void ReadNetns(const Napi::Value &value, const std::string &name, Config &config)
{
	rpf_config &raw = config.raw;
	ReadArray(value, name, RPF_MAX_NETNS,
		  [&raw](uint32_t i, const Napi::Value &element, const std::string &which) {
			  raw.netns[i] = ReadUint32(element, which);
			  raw.netns_count = i + 1;
		  });
}

void ReadReasons(const Napi::Value &value, const std::string &name, Config &config)
{
	rpf_config &raw = config.raw;
	ReadArray(value, name, RPF_MAX_REASONS,
		  [&raw](uint32_t i, const Napi::Value &element, const std::string &which) {
			  raw.reasons[i] = ReadUint32(element, which);
			  raw.reason_count = i + 1;
		  });
}

void ReadDevices(const Napi::Value &value, const std::string &name, Config &config)
{
	rpf_config &raw = config.raw;
	ReadArray(value, name, RPF_MAX_DEVICES,
		  [&raw](uint32_t i, const Napi::Value &element, const std::string &which) {
			  raw.devices[i] = ReadPattern(element, which);
			  raw.device_count = i + 1;
		  });
}

void ReadExpression(const Napi::Value &value, const std::string &name, Config &config)
{
	config.expression = ReadString(value, name);
	config.raw.expression = config.expression.c_str();
}

constexpr struct {
	const char *name;
	Reader read;
} kMembers[] = {
	{ "every", ReadEvery },
	{ "snaplen", ReadSnaplen },
	{ "ringBytes", ReadRingBytes },
	{ "flowSlots", ReadFlowSlots },
	{ "totalPairs", ReadTotalPairs },
	{ "intervalMs", ReadInterval },
	{ "wholePerFlow", ReadWholePerFlow },
	{ "netns", ReadNetns },
	{ "reasons", ReadReasons },
	{ "devices", ReadDevices },
	{ "expression", ReadExpression },
	{ "probeRead", ReadProbeRead },
	{ "backend", ReadBackend },
	{ "legacy", ReadLegacy },
	{ "kfreeSkbArguments", ReadKfreeSkbArguments },
};

Reader FindReader(Napi::Env env, const std::string &name)
{
	std::string known;
	for (const auto &member : kMembers) {
		if (name == member.name)
			return member.read;
		known += (known.empty() ? "" : ", ") + std::string(member.name);
	}
	throw Napi::TypeError::New(env, "config." + name + " is not known; there are: " + known);
}

} // namespace

std::unique_ptr<Config> ReadConfig(const Napi::Value &value)
{
	const Napi::Env env = value.Env();
	if (!value.IsObject() || value.IsArray() || value.IsFunction())
		throw Napi::TypeError::New(env, "config must be an object, not " + Describe(value) +
							" (pass {} for the defaults)");
	auto config = std::make_unique<Config>();
	const auto object = value.As<Napi::Object>();
	const Napi::Array names = object.GetPropertyNames();
	for (uint32_t i = 0; i < names.Length(); i++) {
		const std::string name = names.Get(i).ToString();
		const Reader read = FindReader(env, name);
		const Napi::Value member = object.Get(name);
		if (!member.IsUndefined())
			read(member, "config." + name, *config);
	}
	return config;
}

std::vector<rpf_pod_key> ReadPodKeys(const Napi::Value &value)
{
	const Napi::Env env = value.Env();
	if (!value.IsObject())
		throw Napi::TypeError::New(env, "pods must be an object, not " + Describe(value));
	const auto pods = value.As<Napi::Object>();
	std::vector<rpf_pod_key> keys;
	const auto add = [&keys](uint32_t kind) -> rpf_pod_key & {
		rpf_pod_key key{};
		key.kind = kind;
		return keys.emplace_back(key);
	};
	ReadArray(pods.Get("addresses"), "pods.addresses", RPF_MAX_POD_KEYS,
		  [&](uint32_t, const Napi::Value &element, const std::string &which) {
			  const std::string text = ReadString(element, which);
			  const bool v6 = text.find(':') != std::string::npos;
			  rpf_pod_key &key = add(v6 ? RPF_POD_IPV6 : RPF_POD_IPV4);
			  if (inet_pton(v6 ? AF_INET6 : AF_INET, text.c_str(), key.bytes) != 1)
				  throw Napi::RangeError::New(env, which + " is \"" + text +
									   "\"; that is no address");
		  });
	ReadArray(pods.Get("devices"), "pods.devices", RPF_MAX_POD_KEYS,
		  [&](uint32_t, const Napi::Value &element, const std::string &which) {
			  const std::string text = ReadString(element, which);
			  rpf_pod_key &key = add(RPF_POD_DEVICE);
			  if (text.empty() || text.size() >= sizeof(key.bytes))
				  throw Napi::RangeError::New(
					  env, which + " is \"" + text + "\"; a device name has 1 to 15 bytes");
			  std::memcpy(key.bytes, text.data(), text.size());
		  });
	ReadArray(pods.Get("netns"), "pods.netns", RPF_MAX_POD_KEYS,
		  [&](uint32_t, const Napi::Value &element, const std::string &which) {
			  add(RPF_POD_NETNS).number = ReadUint32(element, which);
		  });
	ReadArray(pods.Get("cgroups"), "pods.cgroups", RPF_MAX_POD_KEYS,
		  [&](uint32_t, const Napi::Value &element, const std::string &which) {
			  const uint64_t id = ReadWhole(element, which, MAX_SAFE_INTEGER);
			  std::memcpy(add(RPF_POD_CGROUP).bytes, &id, sizeof(id));
		  });
	return keys;
}

uint32_t ReadUint32(const Napi::Value &value, const std::string &name, uint32_t max)
{
	return static_cast<uint32_t>(ReadWhole(value, name, max));
}

uint64_t ReadUint64(const Napi::Value &value, const std::string &name)
{
	if (!value.IsBigInt())
		throw Napi::TypeError::New(value.Env(), name + " must be a bigint, not " + Describe(value));
	bool lossless;
	const uint64_t number = value.As<Napi::BigInt>().Uint64Value(&lossless);
	if (!lossless)
		throw Napi::RangeError::New(value.Env(), name + " must fit into 64 unsigned bits");
	return number;
}

std::string ReadString(const Napi::Value &value, const std::string &name)
{
	if (!value.IsString())
		throw Napi::TypeError::New(value.Env(), name + " must be a string, not " + Describe(value));
	std::string text = value.As<Napi::String>();
	if (text.find('\0') != std::string::npos)
		throw Napi::TypeError::New(value.Env(), name + " holds a NUL character; remove it");
	return text;
}

std::string Describe(const Napi::Value &value)
{
	switch (value.Type()) {
	case napi_undefined:
		return "undefined";
	case napi_null:
		return "null";
	case napi_boolean:
		return "a boolean";
	case napi_number:
		return "a number";
	case napi_string:
		return "a string";
	case napi_symbol:
		return "a symbol";
	case napi_function:
		return "a function";
	case napi_bigint:
		return "a bigint";
	default:
		return value.IsArray() ? "an array" : "an object";
	}
}

} // namespace rpf
