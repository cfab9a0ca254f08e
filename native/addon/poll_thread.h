// SPDX-License-Identifier: Apache-2.0
#ifndef RPF_POLL_THREAD_H
#define RPF_POLL_THREAD_H

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>

#include "rpf_core.h"

namespace rpf
{

constexpr size_t kSlots = 2;	       // one is filled while the other is being read
constexpr size_t kSlotBytes = 1 << 20; // 4,200 whole records: under 20 ms of a flood at --every

// Shared by the poll thread, which fills it, and the ArrayBuffer, which may outlive the tracer.
using SlotMemory = std::shared_ptr<uint8_t[]>;

enum class PollEnd {
	kStopped, // Stop() was called
	kDrained, // Drain() was called and everything has been handed over
	kFailed,  // rpf_poll() failed; error() says how
};

// What the poll thread reports to. Called on the poll thread; must not block, or Stop() could wait for ever.
class PollReceiver
{
public:
	virtual void OnBatch(size_t slot, size_t bytes) = 0;
	// The last call. Everything that the thread wrote is visible after Join().
	virtual void OnEnd(PollEnd end) = 0;

protected:
	~PollReceiver() = default;
};

/*
 * The thread between rpf_poll() and its receiver. It fills one slot at a time and waits while none is free, so that a
 * slow reader stops it, and the ring buffer in the kernel is the only place where something can pile up.
 * Knows nothing of Node. The tracer and the receiver must outlive it.
 */
class PollThread
{
public:
	PollThread(rpf_tracer *tracer, const std::array<SlotMemory, kSlots> &slots, PollReceiver *receiver);
	~PollThread(); // Stop() and Join()
	PollThread(const PollThread &) = delete;
	PollThread &operator=(const PollThread &) = delete;

	// Any thread. Gives a slot back. Returns false when it was not out.
	bool Release(size_t slot);
	// Any thread. Ends the thread when all has been handed over. Call it after rpf_detach().
	void Drain();
	// Any thread. Ends the thread as soon as it has returned from rpf_poll().
	void Stop();
	// Any thread but the poll thread. Waits until OnEnd() has returned.
	void Join();
	// Any thread. How many slots the receiver holds.
	size_t out() const;
	// After Join(). The negative errno of rpf_poll(), or 0.
	int error() const;

private:
	void Run();
	PollEnd Poll();
	bool WaitForFreeSlot(size_t *slot);
	bool draining() const;

	rpf_tracer *const tracer_;
	const std::array<SlotMemory, kSlots> slots_;
	PollReceiver *const receiver_;

	mutable std::mutex mutex_;
	std::condition_variable changed_;
	std::array<bool, kSlots> out_{}; // guarded by mutex_, as are the next two
	bool draining_ = false;
	bool stopping_ = false;
	int error_ = 0; // written by the poll thread before OnEnd()

	std::thread thread_; // last: it starts when all the rest is there
};

} // namespace rpf

#endif
