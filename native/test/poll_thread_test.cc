// SPDX-License-Identifier: Apache-2.0
// The addon's poll thread with a core of our own: slots, back-pressure, and every way to end it.
#include "poll_thread.h"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <future>
#include <vector>

#include "check.h"

// ---- the core ----

struct rpf_tracer {
	std::mutex mutex;
	std::condition_variable changed;
	bool woken = false;
	bool detached = false;
	uint64_t left = UINT64_MAX; // batches until there are no more
	int error = 0;		    // what rpf_poll() returns when there are no more
	uint64_t next = 0;
};

// Every batch is a number.
extern "C" long rpf_poll(rpf_tracer *tracer, void *buffer, size_t, int timeout_ms)
{
	std::unique_lock<std::mutex> lock(tracer->mutex);
	if (!tracer->left && tracer->error)
		return tracer->error;
	if (!tracer->left) {
		tracer->changed.wait_for(lock, std::chrono::milliseconds(timeout_ms),
					 [&] { return tracer->woken || tracer->detached; });
		tracer->woken = false;
		return 0;
	}
	tracer->left--;
	std::memcpy(buffer, &tracer->next, sizeof(tracer->next));
	tracer->next++;
	return sizeof(tracer->next);
}

extern "C" void rpf_wake(rpf_tracer *tracer)
{
	const std::lock_guard<std::mutex> lock(tracer->mutex);
	tracer->woken = true;
	tracer->changed.notify_all();
}

// ---- the JS side ----

namespace
{

class Receiver : public rpf::PollReceiver
{
public:
	struct Batch {
		size_t slot;
		size_t bytes;
	};

	void OnBatch(size_t slot, size_t bytes) override
	{
		const std::lock_guard<std::mutex> lock(mutex_);
		batches_.push_back({ slot, bytes });
		changed_.notify_all();
	}

	void OnEnd(rpf::PollEnd end) override
	{
		const std::lock_guard<std::mutex> lock(mutex_);
		end_.push_back(end);
		changed_.notify_all();
	}

	// Waits for batch number index; false: the thread ended without it.
	bool Wait(size_t index, Batch *batch)
	{
		std::unique_lock<std::mutex> lock(mutex_);
		changed_.wait(lock, [&] { return batches_.size() > index || !end_.empty(); });
		if (batches_.size() <= index)
			return false;
		*batch = batches_[index];
		return true;
	}

	std::vector<rpf::PollEnd> ends()
	{
		const std::lock_guard<std::mutex> lock(mutex_);
		return end_;
	}

	size_t batches()
	{
		const std::lock_guard<std::mutex> lock(mutex_);
		return batches_.size();
	}

private:
	std::mutex mutex_;
	std::condition_variable changed_;
	std::vector<Batch> batches_;
	std::vector<rpf::PollEnd> end_;
};

std::array<rpf::SlotMemory, rpf::kSlots> MakeSlots()
{
	std::array<rpf::SlotMemory, rpf::kSlots> slots;
	for (auto &slot : slots)
		slot = rpf::SlotMemory(new uint8_t[rpf::kSlotBytes]);
	return slots;
}

uint64_t NumberIn(const rpf::SlotMemory &slot)
{
	uint64_t number;
	std::memcpy(&number, slot.get(), sizeof(number));
	return number;
}

void CheckEnd(Receiver &receiver, rpf::PollEnd expected)
{
	CHECK_EQUAL(receiver.ends().size(), 1);
	CHECK(receiver.ends().front() == expected);
}

void HandsOverInOrder()
{
	rpf_tracer tracer;
	Receiver receiver;
	const auto slots = MakeSlots();
	rpf::PollThread thread(&tracer, slots, &receiver);
	for (size_t i = 0; i < 20000; i++) {
		Receiver::Batch batch;
		CHECK(receiver.Wait(i, &batch));
		CHECK_EQUAL(batch.bytes, sizeof(uint64_t));
		CHECK_EQUAL(NumberIn(slots[batch.slot]), i);
		CHECK(thread.Release(batch.slot));
	}
	thread.Stop();
	thread.Join();
	CheckEnd(receiver, rpf::PollEnd::kStopped);
}

void WaitsWhenNoSlotIsFree()
{
	rpf_tracer tracer;
	Receiver receiver;
	const auto slots = MakeSlots();
	rpf::PollThread thread(&tracer, slots, &receiver);
	Receiver::Batch first, second, third;
	CHECK(receiver.Wait(0, &first));
	CHECK(receiver.Wait(1, &second));
	CHECK(first.slot != second.slot);
	CHECK_EQUAL(thread.out(), rpf::kSlots);
	rpf_wake(&tracer); // a chance for a thread that would not wait
	CHECK_EQUAL(receiver.batches(), rpf::kSlots);
	CHECK_EQUAL(NumberIn(slots[first.slot]), 0); // untouched while it is out

	CHECK(thread.Release(second.slot));
	CHECK(receiver.Wait(2, &third));
	CHECK_EQUAL(third.slot, second.slot);
	thread.Stop();
	thread.Join();
	CheckEnd(receiver, rpf::PollEnd::kStopped);
}

void RefusesToReleaseWhatIsNotOut()
{
	rpf_tracer tracer;
	tracer.left = 1;
	Receiver receiver;
	rpf::PollThread thread(&tracer, MakeSlots(), &receiver);
	Receiver::Batch batch;
	CHECK(receiver.Wait(0, &batch));
	CHECK(!thread.Release(1 - batch.slot));
	CHECK(thread.Release(batch.slot));
	CHECK(!thread.Release(batch.slot));
}

void StopsWhileItWaitsForTheKernel()
{
	rpf_tracer tracer;
	tracer.left = 0;
	Receiver receiver;
	rpf::PollThread thread(&tracer, MakeSlots(), &receiver);
	thread.Stop();
	thread.Join();
	CheckEnd(receiver, rpf::PollEnd::kStopped);
}

void DrainsBeforeItEnds()
{
	rpf_tracer tracer;
	tracer.left = 1000;
	Receiver receiver;
	const auto slots = MakeSlots();
	rpf::PollThread thread(&tracer, slots, &receiver);
	{
		const std::lock_guard<std::mutex> lock(tracer.mutex);
		tracer.detached = true;
	}
	thread.Drain();
	Receiver::Batch batch;
	size_t i = 0;
	while (receiver.Wait(i, &batch)) {
		CHECK_EQUAL(NumberIn(slots[batch.slot]), i);
		CHECK(thread.Release(batch.slot));
		i++;
	}
	thread.Join();
	CHECK_EQUAL(i, 1000);
	CHECK_EQUAL(thread.out(), 0);
	CheckEnd(receiver, rpf::PollEnd::kDrained);
}

void DrainsNothingWithoutWaiting()
{
	rpf_tracer tracer;
	tracer.left = 0;
	tracer.detached = true;
	Receiver receiver;
	rpf::PollThread thread(&tracer, MakeSlots(), &receiver);
	thread.Drain();
	thread.Join();
	CheckEnd(receiver, rpf::PollEnd::kDrained);
}

void TellsWhyItFailed()
{
	rpf_tracer tracer;
	tracer.left = 1;
	tracer.error = -EIO;
	Receiver receiver;
	rpf::PollThread thread(&tracer, MakeSlots(), &receiver);
	thread.Join();
	CHECK_EQUAL(thread.error(), -EIO);
	CHECK_EQUAL(receiver.batches(), 1);
	CheckEnd(receiver, rpf::PollEnd::kFailed);
}

void IsStoppedByItsDestructor()
{
	rpf_tracer tracer;
	Receiver receiver;
	{
		const rpf::PollThread thread(&tracer, MakeSlots(), &receiver);
		Receiver::Batch batch;
		receiver.Wait(1, &batch); // now it waits for a slot
	}
	CheckEnd(receiver, rpf::PollEnd::kStopped);
}

// Another thread may release, stop and ask while the first one reads.
void TakesCallsFromManyThreads()
{
	for (int round = 0; round < 200; round++) {
		rpf_tracer tracer;
		Receiver receiver;
		rpf::PollThread thread(&tracer, MakeSlots(), &receiver);
		auto releasing = std::async(std::launch::async, [&] {
			Receiver::Batch batch;
			for (size_t i = 0; receiver.Wait(i, &batch); i++)
				thread.Release(batch.slot);
		});
		auto asking = std::async(std::launch::async, [&] { return thread.out() <= rpf::kSlots; });
		CHECK(asking.get());
		thread.Stop();
		thread.Join();
		releasing.get();
		CheckEnd(receiver, rpf::PollEnd::kStopped);
	}
}

} // namespace

int main()
{
	HandsOverInOrder();
	WaitsWhenNoSlotIsFree();
	RefusesToReleaseWhatIsNotOut();
	StopsWhileItWaitsForTheKernel();
	DrainsBeforeItEnds();
	DrainsNothingWithoutWaiting();
	TellsWhyItFailed();
	IsStoppedByItsDestructor();
	TakesCallsFromManyThreads();
	return RPF_CHECK_RESULT;
}
