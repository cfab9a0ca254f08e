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
#include "rpf_ruleset.h"

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

// 4 or 6, as in records; absent: 4.
uint8_t ReadFamily(const Napi::Value &value)
{
	return !value.IsUndefined() && rpf::ReadUint32(value, "family", 6) == 6 ? AF_INET6 : AF_INET;
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
	query.oif = OptionalUint32(object, "oif");
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

// A rule with strings of its own: those of the core live only while it is told.
struct Rule {
	rpf_rule rule;
	std::string table, chain, base_chain, via, comment;
};

std::string TextOr(const char *text)
{
	return text ? text : "";
}

// In the thread that visits the namespace: no JavaScript here.
void CollectRule(void *context, const rpf_rule *rule)
{
	static_cast<std::vector<Rule> *>(context)->push_back(
		{ *rule, TextOr(rule->table), TextOr(rule->chain), TextOr(rule->base_chain),
		  TextOr(rule->via), TextOr(rule->comment).substr(0, RPF_RULE_COMMENT) });
}

Napi::Array Bytes(Napi::Env env, const uint8_t *bytes, uint8_t length)
{
	const auto array = Napi::Array::New(env, length);
	for (uint32_t i = 0; i < length; i++)
		array.Set(i, bytes[i]);
	return array;
}

Napi::Array ConditionObjects(Napi::Env env, const rpf_rule &rule)
{
	const auto conditions = Napi::Array::New(env, rule.conditions);
	for (uint32_t i = 0; i < rule.conditions; i++) {
		const rpf_condition &condition = rule.condition[i];
		const auto object = Napi::Object::New(env);
		object.Set("field", condition.field);
		object.Set("negate", bool(condition.negate));
		object.Set("value", Bytes(env, condition.value, condition.length));
		object.Set("mask", Bytes(env, condition.mask, condition.length));
		conditions.Set(i, object);
	}
	return conditions;
}

Napi::Object RuleObject(Napi::Env env, const Rule &read)
{
	const rpf_rule &rule = read.rule;
	const auto object = Napi::Object::New(env);
	object.Set("kind", rule.kind);
	object.Set("family", rule.family);
	object.Set("hook", rule.hook);
	object.Set("priority", rule.priority);
	object.Set("base", rule.base);
	object.Set("verdict", rule.verdict);
	object.Set("check", rule.check);
	object.Set("isPolicy", bool(rule.is_policy));
	object.Set("inBase", bool(rule.in_base));
	object.Set("more", bool(rule.more));
	object.Set("conditions", ConditionObjects(env, rule));
	object.Set("ownFrom", rule.own_from);
	object.Set("ownTo", rule.own_to);
	object.Set("ownMore", bool(rule.own_more));
	object.Set("table", read.table);
	object.Set("chain", read.chain);
	object.Set("baseChain", read.base_chain);
	object.Set("number", rule.number);
	object.Set("handle", static_cast<double>(rule.handle));
	if (!read.via.empty())
		object.Set("via", read.via);
	if (!read.comment.empty())
		object.Set("comment", read.comment);
	if (rule.has_packets)
		object.Set("packets", static_cast<double>(rule.packets));
	return object;
}

// As above.
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
	const uint8_t family = ReadFamily(info[1]);
	uint32_t rules;
	const int err = rpf_route_rules(netns, family, &rules);
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

Napi::Value ReadRuleset(const Napi::CallbackInfo &info)
{
	const Napi::Env env = info.Env();
	const uint32_t netns = ReadUint32(info[0], "netns", UINT32_MAX);
	const uint8_t family = ReadFamily(info[1]);
	const uint32_t hooks = ReadUint32(info[2], "hooks", UINT32_MAX);
	const uint32_t budget_ms = ReadUint32(info[3], "budgetMs", 60000);
	std::vector<Rule> read;
	const int flags = rpf_ruleset(netns, family, hooks, budget_ms, CollectRule, &read);
	if (flags < 0)
		throw ToError(env, flags,
			      "reading the netfilter rules of network namespace " + std::to_string(netns));
	const auto rules = Napi::Array::New(env, read.size());
	for (size_t i = 0; i < read.size(); i++)
		rules.Set(static_cast<uint32_t>(i), RuleObject(env, read[i]));
	const auto object = Napi::Object::New(env);
	object.Set("rules", rules);
	object.Set("isCut", bool(flags & RPF_RULESET_CUT));
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
