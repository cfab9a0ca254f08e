// SPDX-License-Identifier: Apache-2.0
#include "poll_thread.h"

#include <cerrno>

namespace rpf
{

namespace
{

// Only a bound for what goes unnoticed: rpf_wake() ends the wait at once, and so does the kernel.
constexpr int kPollTimeoutMs = 1000;

} // namespace

PollThread::PollThread(rpf_tracer *tracer, const std::array<SlotMemory, kSlots> &slots, PollReceiver *receiver)
	: tracer_(tracer), slots_(slots), receiver_(receiver), thread_(&PollThread::Run, this)
{
}

PollThread::~PollThread()
{
	Stop();
	Join();
}

bool PollThread::Release(size_t slot)
{
	const std::lock_guard<std::mutex> lock(mutex_);
	if (!out_[slot])
		return false;
	out_[slot] = false;
	changed_.notify_one();
	return true;
}

void PollThread::Drain()
{
	{
		const std::lock_guard<std::mutex> lock(mutex_);
		draining_ = true;
	}
	rpf_wake(tracer_);
}

void PollThread::Stop()
{
	{
		const std::lock_guard<std::mutex> lock(mutex_);
		stopping_ = true;
		changed_.notify_one();
	}
	rpf_wake(tracer_);
}

void PollThread::Join()
{
	if (thread_.joinable())
		thread_.join();
}

size_t PollThread::out() const
{
	const std::lock_guard<std::mutex> lock(mutex_);
	size_t count = 0;
	for (const bool out : out_)
		count += out;
	return count;
}

int PollThread::error() const
{
	return error_;
}

// Poll thread.
void PollThread::Run()
{
	receiver_->OnEnd(Poll());
}

// Poll thread.
PollEnd PollThread::Poll()
{
	size_t slot;
	while (WaitForFreeSlot(&slot)) {
		// Asked before polling: an empty poll proves that nothing is left only if it began after the detach.
		const bool was_draining = draining();
		const long bytes = rpf_poll(tracer_, slots_[slot].get(), kSlotBytes, kPollTimeoutMs);
		if (bytes == -EINTR)
			continue;
		if (bytes < 0) {
			error_ = static_cast<int>(bytes);
			return PollEnd::kFailed;
		}
		if (bytes == 0 && was_draining)
			return PollEnd::kDrained;
		if (bytes == 0)
			continue;
		{
			const std::lock_guard<std::mutex> lock(mutex_);
			out_[slot] = true;
		}
		receiver_->OnBatch(slot, static_cast<size_t>(bytes));
	}
	return PollEnd::kStopped;
}

// Poll thread. Returns false when the thread must end.
bool PollThread::WaitForFreeSlot(size_t *slot)
{
	std::unique_lock<std::mutex> lock(mutex_);
	for (;;) {
		if (stopping_)
			return false;
		for (size_t i = 0; i < kSlots; i++) {
			if (!out_[i]) {
				*slot = i;
				return true;
			}
		}
		changed_.wait(lock);
	}
}

bool PollThread::draining() const
{
	const std::lock_guard<std::mutex> lock(mutex_);
	return draining_;
}

} // namespace rpf
