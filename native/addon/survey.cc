// SPDX-License-Identifier: Apache-2.0
// What rpftrace doctor asks: what there is on this machine, and what its kernel allows.
#include "survey.h"

#include <arpa/inet.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "config.h"
#include "convert.h"
#include "rpf_core.h"

namespace
{

struct Namespace {
	rpf_survey_netns netns;
	std::vector<rpf_survey_device> devices;
	std::vector<rpf_survey_address> addresses;
};

// The surveyor's thread has no JavaScript: it is all gathered first.
using Namespaces = std::vector<Namespace>;

const rpf_surveyor kSurveyor = {
	[](void *context, const rpf_survey_netns *netns) {
		static_cast<Namespaces *>(context)->push_back({ *netns, {}, {} });
	},
	[](void *context, const rpf_survey_device *device) {
		static_cast<Namespaces *>(context)->back().devices.push_back(*device);
	},
	[](void *context, const rpf_survey_address *address) {
		static_cast<Namespaces *>(context)->back().addresses.push_back(*address);
	},
};

template <size_t Bytes> std::string Text(const char (&text)[Bytes])
{
	return std::string(text, strnlen(text, Bytes));
}

std::string AddressText(const uint8_t *bytes)
{
	char text[INET_ADDRSTRLEN] = "";
	inet_ntop(AF_INET, bytes, text, sizeof(text));
	return text;
}

Napi::Object ConfObject(Napi::Env env, const rpf_conf &conf)
{
	const auto object = Napi::Object::New(env);
	object.Set("rpFilter", conf.rp_filter);
	object.Set("acceptLocal", conf.accept_local);
	object.Set("srcValidMark", conf.src_valid_mark);
	object.Set("routeLocalnet", conf.route_localnet);
	object.Set("forwarding", conf.forwarding);
	return object;
}

Napi::Object DeviceObject(Napi::Env env, const rpf_survey_device &device)
{
	const auto object = Napi::Object::New(env);
	object.Set("name", Text(device.name));
	object.Set("kind", Text(device.kind));
	object.Set("ifindex", device.ifindex);
	object.Set("flags", device.flags);
	object.Set("type", device.type);
	object.Set("masterIfindex", device.master_ifindex);
	object.Set("linkIfindex", device.link_ifindex);
	object.Set("linkNetns", device.link_netns);
	if (device.has_conf)
		object.Set("conf", ConfObject(env, device.conf));
	return object;
}

Napi::Object AddressObject(Napi::Env env, const rpf_survey_address &address)
{
	const auto object = Napi::Object::New(env);
	object.Set("ifindex", address.ifindex);
	object.Set("ip", AddressText(address.address));
	object.Set("prefixLength", address.prefix_length);
	object.Set("scope", address.scope);
	return object;
}

Napi::Object NamespaceObject(Napi::Env env, const Namespace &found)
{
	const auto object = Napi::Object::New(env);
	const auto devices = Napi::Array::New(env, found.devices.size());
	const auto addresses = Napi::Array::New(env, found.addresses.size());
	for (size_t i = 0; i < found.devices.size(); i++)
		devices.Set(static_cast<uint32_t>(i), DeviceObject(env, found.devices[i]));
	for (size_t i = 0; i < found.addresses.size(); i++)
		addresses.Set(static_cast<uint32_t>(i), AddressObject(env, found.addresses[i]));
	object.Set("netns", found.netns.netns);
	object.Set("pid", found.netns.pid);
	object.Set("path", Text(found.netns.path));
	object.Set("devices", devices);
	object.Set("addresses", addresses);
	if (found.netns.uplink_ifindex) {
		const auto uplink = Napi::Object::New(env);
		uplink.Set("ifindex", found.netns.uplink_ifindex);
		uplink.Set("outside", AddressText(found.netns.outside));
		object.Set("uplink", uplink);
	}
	if (found.netns.err) {
		object.Set("errno", found.netns.err);
	} else if (!found.netns.conf_err) {
		object.Set("all", ConfObject(env, found.netns.all));
		object.Set("defaults", ConfObject(env, found.netns.defaults));
	}
	return object;
}

} // namespace

namespace rpf
{

Napi::Value Survey(const Napi::CallbackInfo &info)
{
	const Napi::Env env = info.Env();
	Namespaces namespaces;
	const int err = rpf_survey(&kSurveyor, &namespaces);
	if (err < 0)
		throw ToError(env, err, "looking into the network namespaces failed");
	const auto array = Napi::Array::New(env, namespaces.size());
	for (size_t i = 0; i < namespaces.size(); i++)
		array.Set(static_cast<uint32_t>(i), NamespaceObject(env, namespaces[i]));
	return array;
}

Napi::Value Neighbours(const Napi::CallbackInfo &info)
{
	const Napi::Env env = info.Env();
	const uint32_t netns = ReadUint32(info[0], "netns", UINT32_MAX);
	using Found = std::vector<std::pair<rpf_survey_address, rpf_neighbour_source>>;
	Found found;
	const int err = rpf_neighbours(
		netns,
		[](void *context, const rpf_survey_address *address, rpf_neighbour_source source) {
			static_cast<Found *>(context)->emplace_back(*address, source);
		},
		&found);
	if (err < 0)
		throw ToError(env, err, "reading the neighbours in network namespace " + std::to_string(netns));
	const auto array = Napi::Array::New(env, found.size());
	for (size_t i = 0; i < found.size(); i++) {
		const auto object = AddressObject(env, found[i].first);
		object.Set("from", found[i].second == RPF_FROM_ROUTE ? "route" : "neighbour");
		array.Set(static_cast<uint32_t>(i), object);
	}
	const auto answer = Napi::Object::New(env);
	answer.Set("addresses", array);
	answer.Set("cut", err > 0);
	return answer;
}

Napi::Value Trials(const Napi::CallbackInfo &info)
{
	const Napi::Env env = info.Env();
	std::vector<rpf_trial> trials;
	rpf_trials(
		[](void *context, const rpf_trial *trial) {
			static_cast<std::vector<rpf_trial> *>(context)->push_back(*trial);
		},
		&trials);
	const auto array = Napi::Array::New(env, trials.size());
	for (size_t i = 0; i < trials.size(); i++) {
		const auto object = Napi::Object::New(env);
		object.Set("name", trials[i].name);
		object.Set("errno", trials[i].err);
		object.Set("detail", trials[i].detail);
		object.Set("step", trials[i].step);
		array.Set(static_cast<uint32_t>(i), object);
	}
	return array;
}

} // namespace rpf
