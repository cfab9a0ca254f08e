// SPDX-License-Identifier: Apache-2.0
#include "tracer.h"

#include <cerrno>
#include <cstring>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "config.h"
#include "convert.h"
#include "rpf_record.h"

namespace rpf
{

namespace
{

// The memory belongs to the tracer and to the ArrayBuffer, so that neither can pull it away from under the other.
Napi::ArrayBuffer Expose(Napi::Env env, const SlotMemory &memory)
{
	auto share = std::make_unique<SlotMemory>(memory);
	const auto buffer = Napi::ArrayBuffer::New(
		env, memory.get(), kSlotBytes, [](Napi::Env, void *, SlotMemory *last) { delete last; },
		share.get());
	share.release(); // deleted with the ArrayBuffer
	return buffer;
}

// Calls onBatch. What it throws is an uncaught exception, as from any event handler: Node itself would only warn of it.
// A worker that is being terminated refuses the call and has no exception either; then there is nobody left to tell.
void Report(Napi::Env env, const Napi::Function &on_batch, napi_value error, size_t slot, size_t bytes)
{
	const napi_value arguments[] = { error, Napi::Number::New(env, static_cast<double>(slot)),
					 Napi::Number::New(env, static_cast<double>(bytes)) };
	if (napi_call_function(env, env.Undefined(), on_batch, std::size(arguments), arguments, nullptr) == napi_ok)
		return;
	napi_value thrown;
	if (env.IsExceptionPending() && napi_get_and_clear_last_exception(env, &thrown) == napi_ok)
		napi_fatal_exception(env, thrown);
}

Napi::Error ClosedError(Napi::Env env)
{
	return ToError(env, "E_CLOSED", -EBADF, "the tracer is closed; open another one");
}

} // namespace

Pending::Pending(Napi::Env env)
	: deferred(env), promise(Napi::Persistent(deferred.Promise().As<Napi::Object>()))
{
}

void Pending::Resolve(Napi::Env env)
{
	if (!std::exchange(settled, true))
		deferred.Resolve(env.Undefined());
}

void Pending::Reject(const Napi::Error &error)
{
	if (!std::exchange(settled, true))
		deferred.Reject(error.Value());
}

Napi::Function Tracer::Define(Napi::Env env)
{
	return DefineClass(env, "Tracer",
			   {
				   InstanceMethod("attach", &Tracer::Attach),
				   InstanceMethod("release", &Tracer::Release),
				   InstanceMethod("configure", &Tracer::Configure),
				   InstanceMethod("setPods", &Tracer::SetPods),
				   InstanceMethod("witness", &Tracer::Witness),
				   InstanceMethod("watch", &Tracer::Watch),
				   InstanceMethod("executed", &Tracer::Executed),
				   InstanceMethod("symbol", &Tracer::Symbol),
				   InstanceMethod("giveUpCapabilities", &Tracer::GiveUpCapabilities),
				   InstanceMethod("stats", &Tracer::Stats),
				   InstanceMethod("totals", &Tracer::Totals),
				   InstanceMethod("detach", &Tracer::Detach),
				   InstanceMethod("close", &Tracer::Close),
			   });
}

// JS thread.
Tracer::Tracer(const Napi::CallbackInfo &info) : Napi::ObjectWrap<Tracer>(info)
{
	const Napi::Env env = info.Env();
	const auto config = ReadConfig(info[0]);
	rpf_tracer *tracer = nullptr;
	rpf_error error{};
	if (rpf_open(&config->raw, &tracer, &error) < 0)
		throw ToError(env, error);
	tracer_.reset(tracer);

	const auto buffers = Napi::Array::New(env, kSlots);
	for (size_t i = 0; i < kSlots; i++) {
		slots_[i] = SlotMemory(new uint8_t[kSlotBytes]);
		buffers.Set(static_cast<uint32_t>(i), Expose(env, slots_[i]));
	}
	buffers.Freeze();
	info.This().As<Napi::Object>().DefineProperty(
		Napi::PropertyDescriptor::Value("buffers", buffers, napi_enumerable));
}

// JS thread.
void Tracer::Attach(const Napi::CallbackInfo &info)
{
	const Napi::Env env = info.Env();
	if (!info[0].IsFunction())
		throw Napi::TypeError::New(env, "attach() wants a function (error, slot, bytes), not " +
							Describe(info[0]));
	rpf_tracer *tracer = Open(env);
	if (attached_ || detached_)
		throw ToError(env, "E_INTERNAL", -EALREADY,
			      "attach() was called already; open another tracer to trace again");
	rpf_error error{};
	if (rpf_attach(tracer, &error) < 0)
		throw ToError(env, error);
	try {
		StartPolling(env, info[0].As<Napi::Function>());
	} catch (...) {
		rpf_detach(tracer);
		throw;
	}
	attached_ = true;
}

// JS thread.
void Tracer::StartPolling(Napi::Env env, const Napi::Function &on_batch)
{
	// Every slot has at most one message in the queue, so it never overflows.
	channel_ = Channel::New(env, on_batch, "rpftrace", messages_.size(), 1, this);
	try {
		thread_ = std::make_unique<PollThread>(tracer_.get(), slots_, static_cast<PollReceiver *>(this));
	} catch (...) {
		channel_.Release();
		throw;
	}
	// Hooks run last in, first out: the thread is joined before Node takes the channel away from under it.
	napi_add_env_cleanup_hook(env, OnEnvironmentExit, this);
	hooked_ = true;
	Ref();
}

// Poll thread.
void Tracer::OnBatch(size_t slot, size_t bytes)
{
	messages_[slot] = { slot, bytes };
	channel_.NonBlockingCall(&messages_[slot]);
}

// Poll thread.
void Tracer::OnEnd(PollEnd end)
{
	end_ = end;
	messages_[kSlots] = { kSlots, 0 };
	channel_.NonBlockingCall(&messages_[kSlots]);
	channel_.Release();
}

// JS thread. env is empty when the environment is going away: then nothing may be touched.
void Tracer::OnMessage(Napi::Env env, Napi::Function on_batch, Tracer *self, Message *message)
{
	if (!env)
		return;
	if (message->slot == kSlots)
		self->Ended(env, on_batch);
	else if (!self->closed_)
		Report(env, on_batch, env.Null(), message->slot, message->bytes);
}

// JS thread. The poll thread has sent its last message.
void Tracer::Ended(Napi::Env env, const Napi::Function &on_batch)
{
	[[maybe_unused]] const Napi::Object keep = Value(); // after Unref() it alone keeps us alive
	thread_->Join();
	napi_remove_env_cleanup_hook(env, OnEnvironmentExit, this);
	hooked_ = false;
	Unref();
	if (closed_)
		return FinishClose(env);
	if (end_ != PollEnd::kFailed)
		return SettleDetach(env);
	failure_ = ToError(env, thread_->error(), "reading from the kernel failed");
	SettleDetach(env);
	Report(env, on_batch, failure_->Value(), 0, 0);
}

// JS thread.
void Tracer::Release(const Napi::CallbackInfo &info)
{
	const Napi::Env env = info.Env();
	const uint32_t slot = ReadUint32(info[0], "slot", kSlots - 1);
	if (closed_ && !thread_)
		return; // a reader may finish its batch after close()
	if (!thread_ || !thread_->Release(slot))
		throw Napi::Error::New(env, "slot " + std::to_string(slot) +
						    " is not out; release each batch once");
	SettleDetach(env);
}

// JS thread.
void Tracer::Configure(const Napi::CallbackInfo &info)
{
	rpf_tracer *tracer = Open(info.Env());
	const auto config = ReadConfig(info[0]);
	rpf_error error{};
	if (rpf_configure(tracer, &config->raw, &error) < 0)
		throw ToError(info.Env(), error);
}

// JS thread.
void Tracer::SetPods(const Napi::CallbackInfo &info)
{
	rpf_tracer *tracer = Open(info.Env());
	std::vector<rpf_pod_key> keys = ReadPodKeys(info[0]);
	const int err = rpf_set_pods(tracer, keys.data(), keys.size());
	if (err)
		throw ToError(info.Env(), err, "filtering by pods");
}

// JS thread.
void Tracer::Witness(const Napi::CallbackInfo &info)
{
	if (!info[0].IsBoolean())
		throw Napi::TypeError::New(info.Env(), "on must be true or false, not " + Describe(info[0]));
	const int err = rpf_witness(Open(info.Env()), info[0].As<Napi::Boolean>().Value());
	if (err)
		throw ToError(info.Env(), err, "watching route lookups");
}

// JS thread.
Napi::Value Tracer::Watch(const Napi::CallbackInfo &info)
{
	const uint32_t netns = ReadUint32(info[0], "netns", UINT32_MAX);
	if (!info[1].IsBoolean())
		throw Napi::TypeError::New(info.Env(), "on must be true or false, not " + Describe(info[1]));
	const int err = rpf_watch(Open(info.Env()), netns, info[1].As<Napi::Boolean>().Value());
	return Napi::Number::New(info.Env(), err);
}

// JS thread.
Napi::Value Tracer::Executed(const Napi::CallbackInfo &info)
{
	const Napi::Env env = info.Env();
	const uint32_t number = ReadUint32(info[0], "number", UINT32_MAX);
	const uint32_t netns = ReadUint32(info[1], "netns", UINT32_MAX);
	rpf_sysctl record{};
	if (rpf_executed(Open(env), number, netns, &record))
		return env.Undefined();
	auto buffer = Napi::ArrayBuffer::New(env, sizeof(record));
	std::memcpy(buffer.Data(), &record, sizeof(record));
	return buffer;
}

// JS thread.
Napi::Value Tracer::Symbol(const Napi::CallbackInfo &info)
{
	const Napi::Env env = info.Env();
	const uint64_t address = ReadUint64(info[0], "address");
	char name[512]; // KSYM_SYMBOL_LEN, include/linux/kallsyms.h, with room for a module's name
	const int length = rpf_symbol(Open(env), address, name, sizeof(name));
	if (length <= 0)
		return env.Undefined();
	return Napi::String::New(env, name, static_cast<size_t>(length));
}

// JS thread.
void Tracer::GiveUpCapabilities(const Napi::CallbackInfo &info)
{
	const Napi::Env env = info.Env();
	const uint64_t keep = ReadUint64(info[0], "keep");
	rpf_error error{};
	if (rpf_give_up_capabilities(Open(env), keep, &error) < 0)
		throw ToError(env, error);
}

// JS thread.
Napi::Value Tracer::Stats(const Napi::CallbackInfo &info)
{
	struct rpf_stats stats = {};
	const int err = rpf_stats(Open(info.Env()), &stats);
	if (err < 0)
		throw ToError(info.Env(), err, "reading the statistics failed");
	return ToObject(info.Env(), stats);
}

// JS thread.
Napi::Value Tracer::Totals(const Napi::CallbackInfo &info)
{
	const Napi::Env env = info.Env();
	rpf_tracer *tracer = Open(env);
	std::vector<rpf_total> totals(256);
	int count;
	while ((count = rpf_totals(tracer, totals.data(), totals.size())) > static_cast<int>(totals.size()))
		totals.resize(static_cast<size_t>(count) * 2);
	if (count < 0)
		throw ToError(env, count, "reading the totals failed");
	const auto array = Napi::Array::New(env, static_cast<size_t>(count));
	for (int i = 0; i < count; i++)
		array.Set(static_cast<uint32_t>(i), ToObject(env, totals[static_cast<size_t>(i)]));
	return array;
}

// JS thread.
Napi::Value Tracer::Detach(const Napi::CallbackInfo &info)
{
	const Napi::Env env = info.Env();
	if (detached_)
		return detached_->promise.Value();
	detached_.emplace(env);
	const int err = closed_ ? -EBADF : rpf_detach(tracer_.get());
	if (closed_)
		detached_->Reject(ClosedError(env));
	else if (err < 0)
		detached_->Reject(ToError(env, err, "detaching failed"));
	else if (polling())
		thread_->Drain();
	SettleDetach(env);
	return detached_->promise.Value();
}

// JS thread. Settles the promise of detach() once nothing more can come and nothing is out.
void Tracer::SettleDetach(Napi::Env env)
{
	if (!detached_ || polling())
		return;
	if (failure_)
		detached_->Reject(*failure_);
	else if (!thread_ || !thread_->out())
		detached_->Resolve(env);
}

// JS thread.
Napi::Value Tracer::Close(const Napi::CallbackInfo &info)
{
	const Napi::Env env = info.Env();
	if (closed_)
		return closed_->promise.Value();
	closed_.emplace(env);
	// The thread answers with its last message, so that nobody waits for it here.
	if (polling())
		thread_->Stop();
	else
		FinishClose(env);
	return closed_->promise.Value();
}

// JS thread.
void Tracer::FinishClose(Napi::Env env)
{
	thread_.reset();
	tracer_.reset();
	if (detached_)
		detached_->Reject(
			ToError(env, "E_CLOSED", -ECANCELED, "the tracer was closed before it was drained"));
	closed_->Resolve(env);
}

bool Tracer::polling() const
{
	return hooked_;
}

// The tracer, or an Error when close() was called.
rpf_tracer *Tracer::Open(Napi::Env env) const
{
	if (closed_)
		throw ClosedError(env);
	return tracer_.get();
}

// JS thread, when the environment ends (process.exit(), worker.terminate()) with the poll thread running.
void Tracer::OnEnvironmentExit(void *data)
{
	auto *self = static_cast<Tracer *>(data);
	self->hooked_ = false;
	self->thread_.reset();
	self->tracer_.reset();
}

} // namespace rpf
