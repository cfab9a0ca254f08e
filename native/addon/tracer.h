// SPDX-License-Identifier: Apache-2.0
#ifndef RPF_TRACER_H
#define RPF_TRACER_H

#include <array>
#include <memory>
#include <optional>

#include <napi.h>

#include "poll_thread.h"
#include "rpf_core.h"

namespace rpf
{

struct TracerCloser {
	void operator()(rpf_tracer *tracer) const
	{
		rpf_close(tracer);
	}
};

// A promise that is made once and handed out as often as it is asked for.
struct Pending {
	Napi::Promise::Deferred deferred;
	Napi::ObjectReference promise;
	bool settled = false;

	explicit Pending(Napi::Env env);
	void Resolve(Napi::Env env);
	void Reject(const Napi::Error &error);
};

/*
 * NativeTracer of src/native.ts. Lives on the JS thread of its environment; OnBatch() and OnEnd() alone run on the poll
 * thread. Nothing is shared between two tracers or two environments.
 *
 *   open -> attached -> ended (drained, failed or stopped) -> closed
 *
 * While attached it holds itself and the event loop alive, as an open socket does. Before and after, it is an ordinary
 * object whose tracer is freed with it.
 */
class Tracer : public Napi::ObjectWrap<Tracer>, private PollReceiver
{
public:
	static Napi::Function Define(Napi::Env env);

	explicit Tracer(const Napi::CallbackInfo &info);

private:
	struct Message {
		size_t slot; // kSlots: the poll thread has ended
		size_t bytes;
	};
	static void OnMessage(Napi::Env env, Napi::Function on_batch, Tracer *self, Message *message);
	using Channel = Napi::TypedThreadSafeFunction<Tracer, Message, OnMessage>;

	// Poll thread.
	void OnBatch(size_t slot, size_t bytes) override;
	void OnEnd(PollEnd end) override;

	// JS thread, all that follow.
	void Attach(const Napi::CallbackInfo &info);
	void Release(const Napi::CallbackInfo &info);
	void Configure(const Napi::CallbackInfo &info);
	void SetPods(const Napi::CallbackInfo &info);
	void Witness(const Napi::CallbackInfo &info);
	Napi::Value Watch(const Napi::CallbackInfo &info);
	Napi::Value Executed(const Napi::CallbackInfo &info);
	Napi::Value Symbol(const Napi::CallbackInfo &info);
	void GiveUpCapabilities(const Napi::CallbackInfo &info);
	Napi::Value Stats(const Napi::CallbackInfo &info);
	Napi::Value Totals(const Napi::CallbackInfo &info);
	Napi::Value Detach(const Napi::CallbackInfo &info);
	Napi::Value Close(const Napi::CallbackInfo &info);

	void StartPolling(Napi::Env env, const Napi::Function &on_batch);
	void Ended(Napi::Env env, const Napi::Function &on_batch);
	void SettleDetach(Napi::Env env);
	void FinishClose(Napi::Env env);
	bool polling() const;
	rpf_tracer *Open(Napi::Env env) const;
	static void OnEnvironmentExit(void *self);

	std::array<SlotMemory, kSlots> slots_;
	std::unique_ptr<rpf_tracer, TracerCloser> tracer_; // empty: closed
	Channel channel_;
	std::array<Message, kSlots + 1> messages_{}; // one for each slot, and the last
	PollEnd end_ = PollEnd::kStopped;	     // written by the poll thread before the last message
	std::optional<Napi::Error> failure_;	     // why polling ended early
	std::optional<Pending> detached_;
	std::optional<Pending> closed_;
	bool attached_ = false; // attach() has succeeded, be the poll thread still running or not
	bool hooked_ = false;	// the poll thread may run, and OnEnvironmentExit() is registered
	std::unique_ptr<PollThread> thread_; // last: joined before anything that it uses goes away
};

} // namespace rpf

#endif
