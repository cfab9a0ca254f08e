// SPDX-License-Identifier: Apache-2.0
#include "convert.h"

#include <system_error>

namespace rpf
{

Napi::Error ToError(Napi::Env env, const char *code, int err, const std::string &message)
{
	Napi::Error error = Napi::Error::New(env, message);
	error.Set("code", Napi::String::New(env, code));
	error.Set("errno", Napi::Number::New(env, err));
	return error;
}

Napi::Error ToError(Napi::Env env, const rpf_error &error)
{
	return ToError(env, error.code, error.err, error.message);
}

Napi::Error ToError(Napi::Env env, int err, const std::string &what)
{
	return ToError(env, "E_INTERNAL", err, what + ": " + std::generic_category().message(-err));
}

Napi::Object ToObject(Napi::Env env, const struct rpf_stats &stats)
{
	const auto object = Napi::Object::New(env);
	object.Set("seen", Napi::BigInt::New(env, stats.seen));
	object.Set("matched", Napi::BigInt::New(env, stats.matched));
	object.Set("lost", Napi::BigInt::New(env, stats.lost));
	object.Set("recursion", Napi::BigInt::New(env, stats.recursion));
	object.Set("delivered", Napi::BigInt::New(env, stats.delivered));
	object.Set("records", Napi::BigInt::New(env, stats.records));
	object.Set("flows", Napi::BigInt::New(env, stats.flows));
	object.Set("coarse", Napi::BigInt::New(env, stats.coarse));
	object.Set("runNs", Napi::BigInt::New(env, stats.run_ns));
	object.Set("runCount", Napi::BigInt::New(env, stats.run_count));
	object.Set("kfreeSkbArguments", stats.kfree_skb_arguments);
	object.Set("sysctlErrno", stats.sysctl_err);
	object.Set("routesErrno", stats.routes_err);
	object.Set("execErrno", stats.exec_err);
	object.Set("namesErrno", stats.names_err);
	object.Set("sysctlLost", Napi::BigInt::New(env, stats.sysctl_lost));
	object.Set("probeRead", stats.probe_read != 0);
	if (stats.refused_hook)
		object.Set("refusedHook", stats.refused_hook);
	object.Set("refusedErrno", stats.refused_err);
	if (stats.result_hook)
		object.Set("resultHook", stats.result_hook);
	object.Set("resultErrno", stats.result_err);
	return object;
}

Napi::Object ToObject(Napi::Env env, const rpf_total &total)
{
	const auto object = Napi::Object::New(env);
	object.Set("netns", total.netns);
	object.Set("netnsCookie", Napi::BigInt::New(env, total.netns_cookie));
	object.Set("reason", total.reason);
	object.Set("seen", Napi::BigInt::New(env, total.seen));
	object.Set("matched", Napi::BigInt::New(env, total.matched));
	object.Set("lost", Napi::BigInt::New(env, total.lost));
	return object;
}

Napi::Object ToObject(Napi::Env env, const rpf_netns_counter &counter)
{
	const auto object = Napi::Object::New(env);
	object.Set("netns", counter.netns);
	object.Set("netnsCookie", Napi::BigInt::New(env, counter.netns_cookie));
	object.Set("pid", counter.pid);
	object.Set("path", counter.path);
	if (counter.err)
		object.Set("errno", counter.err);
	else
		object.Set("reversePathFilter", Napi::BigInt::New(env, counter.reverse_path_filter));
	return object;
}

} // namespace rpf
