// SPDX-License-Identifier: Apache-2.0
// Questions to the kernel in any network namespace: routes and settings. They answer at once, so they are synchronous.
#include "lookup.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "config.h"
#include "convert.h"
#include "rpf_core.h"

namespace
{

uint32_t OptionalUint32(const Napi::Object &query, const char *name)
{
	const Napi::Value value = query.Get(name);
	return value.IsUndefined() ? 0 : rpf::ReadUint32(value, name, UINT32_MAX);
}

// Returns the family of the address; family 0 takes either.
uint8_t ReadAddress(const Napi::Value &value, const char *name, uint8_t family, uint8_t *bytes)
{
	const std::string text = rpf::ReadString(value, name);
	for (const uint8_t candidate : { AF_INET, AF_INET6 }) {
		if ((!family || family == candidate) && inet_pton(candidate, text.c_str(), bytes) == 1)
			return candidate;
	}
	throw Napi::TypeError::New(value.Env(), std::string(name) + " must be an IP address" +
							(family ? " of the same family as dst" : "") +
							", not " + text);
}

rpf_route_query ReadQuery(const Napi::Value &value)
{
	if (!value.IsObject())
		throw Napi::TypeError::New(value.Env(), "query must be an object");
	const auto object = value.As<Napi::Object>();
	rpf_route_query query{};
	query.family = ReadAddress(object.Get("dst"), "dst", 0, query.dst);
	if (!object.Get("src").IsUndefined()) {
		ReadAddress(object.Get("src"), "src", query.family, query.src);
		query.with_src = 1;
	}
	query.iif = OptionalUint32(object, "iif");
	query.mark = OptionalUint32(object, "mark");
	return query;
}

std::string AddressText(uint8_t family, const uint8_t *bytes)
{
	char text[INET6_ADDRSTRLEN] = "";
	inet_ntop(family, bytes, text, sizeof(text));
	return text;
}

Napi::Object RouteObject(Napi::Env env, uint8_t family, const rpf_route &route)
{
	const auto object = Napi::Object::New(env);
	if (route.lookup_err) {
		object.Set("errno", route.lookup_err);
		return object;
	}
	const auto hops = Napi::Array::New(env);
	const uint32_t count = std::min<uint32_t>(route.hops, RPF_ROUTE_HOPS);
	for (uint32_t i = 0; i < count; i++)
		hops.Set(i, route.hop_ifindex[i]);
	object.Set("type", route.type);
	object.Set("table", route.table);
	object.Set("prefix", AddressText(family, route.prefix) + "/" + std::to_string(route.prefix_length));
	object.Set("hops", hops);
	object.Set("hopCount", route.hops);
	if (route.ifindex)
		object.Set("ifindex", route.ifindex);
	if (route.device[0])
		object.Set("device", std::string(route.device, strnlen(route.device, sizeof(route.device))));
	if (route.gateway_family)
		object.Set("gateway", AddressText(route.gateway_family, route.gateway));
	if (route.nexthop_id)
		object.Set("nexthopId", route.nexthop_id);
	return object;
}

// In the thread that visits the namespace: no JavaScript here.
int Collect(void *context, const char *device, const char *value)
{
	static_cast<std::vector<std::pair<std::string, std::string>> *>(context)->emplace_back(device, value);
	return 0;
}

} // namespace

namespace rpf
{

Napi::Value LookUpRoute(const Napi::CallbackInfo &info)
{
	const Napi::Env env = info.Env();
	const uint32_t netns = ReadUint32(info[0], "netns", UINT32_MAX);
	const rpf_route_query query = ReadQuery(info[1]);
	rpf_route route{};
	const int err = rpf_route_lookup(netns, &query, &route);
	if (err)
		throw ToError(env, err, "looking up a route in network namespace " + std::to_string(netns));
	return RouteObject(env, query.family, route);
}

Napi::Value ReadRules(const Napi::CallbackInfo &info)
{
	const Napi::Env env = info.Env();
	const uint32_t netns = ReadUint32(info[0], "netns", UINT32_MAX);
	uint32_t rules;
	const int err = rpf_route_rules(netns, &rules);
	if (err)
		throw ToError(env, err, "reading the policy rules of network namespace " + std::to_string(netns));
	const auto object = Napi::Object::New(env);
	object.Set("custom", bool(rules & RPF_RULES_CUSTOM));
	object.Set("source", bool(rules & RPF_RULES_SOURCE));
	object.Set("device", bool(rules & RPF_RULES_DEVICE));
	object.Set("mark", bool(rules & RPF_RULES_MARK));
	object.Set("vrf", bool(rules & RPF_RULES_VRF));
	object.Set("other", bool(rules & RPF_RULES_OTHER));
	object.Set("blackhole", bool(rules & RPF_RULES_BLACKHOLE));
	object.Set("unreachable", bool(rules & RPF_RULES_UNREACHABLE));
	object.Set("prohibit", bool(rules & RPF_RULES_PROHIBIT));
	return object;
}

Napi::Value ReadSetting(const Napi::CallbackInfo &info)
{
	const Napi::Env env = info.Env();
	const uint32_t netns = ReadUint32(info[0], "netns", UINT32_MAX);
	const std::string name = ReadString(info[1], "name");
	char value[256];
	const int err = rpf_setting(netns, name.c_str(), value, sizeof(value));
	if (err)
		throw ToError(env, err, "reading " + name + " in network namespace " + std::to_string(netns));
	return Napi::String::New(env, value);
}

Napi::Value ReadSettings(const Napi::CallbackInfo &info)
{
	const Napi::Env env = info.Env();
	const uint32_t netns = ReadUint32(info[0], "netns", UINT32_MAX);
	const std::string setting = ReadString(info[1], "setting");
	std::vector<std::pair<std::string, std::string>> values;
	const int err = rpf_settings(netns, setting.c_str(), Collect, &values);
	if (err)
		throw ToError(env, err, "reading " + setting + " in network namespace " + std::to_string(netns));
	const auto pairs = Napi::Array::New(env, values.size());
	for (size_t i = 0; i < values.size(); i++) {
		const auto pair = Napi::Array::New(env, 2);
		pair.Set(0U, values[i].first);
		pair.Set(1U, values[i].second);
		pairs.Set(static_cast<uint32_t>(i), pair);
	}
	return pairs;
}

} // namespace rpf
