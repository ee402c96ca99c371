/* SPDX-License-Identifier: MIT */
/* The thread that does jobs, one at a time, and the lease of the devices that they use. */
#include "jobs.h"
#include "turn.h"

#include <stdio.h>
#include <string.h>

/* The nice value of the thread, so that measuring gives way to requests and to the polling of devices. */
#define THREAD_NICE 5

/* Remembers the interrupt and sets `cancel`. It is called under the lock of a leased device, so it touches atomics
 * only. */
static void interrupt(void *arg, enum lease_interrupt why)
{
	struct jobs *jobs = arg;
	/* A halt is stronger than an abort, and no abort takes it back. */
	int now = atomic_load(&jobs->interrupt);
	while (now < (int)why && !atomic_compare_exchange_weak(&jobs->interrupt, &now, (int)why)) {
	}
	atomic_store(&jobs->cancel, true);
}

/* Wakes the thread where it waits for a device: one that it leases, or the focuser, which a guided session watches
 * without a lease. */
static void poke(void *arg)
{
	struct jobs *jobs = arg;
	struct device *held[JOBS_MAX_DEVICES];
	pthread_mutex_lock(&jobs->lock);
	int count = jobs->device_count;
	memcpy(held, jobs->device, sizeof held);
	pthread_mutex_unlock(&jobs->lock);
	for (int i = 0; i < count; i++) {
		device_poke(held[i]);
	}
	device_poke(jobs->focuser);
}

void jobs_changed(struct jobs *jobs)
{
	jobs->version++;
	events_publish(jobs->events);
}

static void drop_leases(struct jobs *jobs)
{
	for (int i = 0; i < jobs->device_count; i++) {
		device_lease_drop(jobs->device[i], jobs->id);
	}
}

static void *thread_main(void *arg)
{
	struct jobs *jobs = arg;
	turn_background(THREAD_NICE);
	pthread_mutex_lock(&jobs->lock);
	while (!jobs->quit || jobs->kind != NULL) {
		const struct job_kind *kind = jobs->kind;
		if (kind == NULL) {
			pthread_cond_wait(&jobs->work, &jobs->lock);
			continue;
		}
		pthread_mutex_unlock(&jobs->lock);
		kind->run(jobs->owner);
		/* The devices are given back before anybody can read that the job is over. */
		drop_leases(jobs);
		pthread_mutex_lock(&jobs->lock);
		kind->over(jobs->owner);
		jobs->kind = NULL;
		jobs->device_count = 0;
		jobs_changed(jobs);
	}
	pthread_mutex_unlock(&jobs->lock);
	return NULL;
}

void jobs_init(struct jobs *jobs, struct device *focuser, struct events *events, void *owner)
{
	memset(jobs, 0, sizeof *jobs);
	jobs->focuser = focuser;
	jobs->events = events;
	jobs->owner = owner;
	jobs->version = 1;
	pthread_mutex_init(&jobs->lock, NULL);
	pthread_cond_init(&jobs->work, NULL);
}

void jobs_fini(struct jobs *jobs)
{
	pthread_cond_destroy(&jobs->work);
	pthread_mutex_destroy(&jobs->lock);
}

enum err_code jobs_begin(struct jobs *jobs, struct err *err)
{
	if (pthread_create(&jobs->thread, NULL, thread_main, jobs) != 0) {
		return err_set(err, ERR_INTERNAL, "no thread for the jobs of %s", jobs->focuser->info.source);
	}
	jobs->has_thread = true;
	return ERR_OK;
}

void jobs_end(struct jobs *jobs)
{
	if (!jobs->has_thread) {
		return;
	}
	pthread_mutex_lock(&jobs->lock);
	jobs->quit = true;
	bool running = jobs->kind != NULL;
	pthread_cond_signal(&jobs->work);
	pthread_mutex_unlock(&jobs->lock);
	if (running) {
		/* The end of the server does what STOP does: the motor stops where it is, and nothing moves
		 * afterwards. */
		interrupt(jobs, LEASE_HALTED);
		device_quiet(jobs->focuser);
		poke(jobs);
	}
	pthread_join(jobs->thread, NULL);
	jobs->has_thread = false;
}

enum err_code jobs_need_idle(const struct jobs *jobs, struct err *err)
{
	if (jobs->kind != NULL) {
		return err_set(err, ERR_INVALID_OPERATION, "%s is %s", jobs->what,
			atomic_load(&jobs->cancel) ? "still ending" : "going on");
	}
	return jobs->quit ? err_set(err, ERR_INVALID_OPERATION, "the server is stopping") : ERR_OK;
}

/* Leases one more device. */
static enum err_code take(struct jobs *jobs, struct device *dev, struct err *err)
{
	struct lease lease = {.run = jobs->id, .interrupt = interrupt, .poke = poke, .arg = jobs};
	_Static_assert(sizeof lease.what == sizeof jobs->what, "one name for people");
	memcpy(lease.what, jobs->what, sizeof lease.what);
	enum err_code code = device_lease_take(dev, &lease, err);
	if (code == ERR_OK) {
		jobs->device[jobs->device_count++] = dev;
	}
	return code;
}

enum err_code jobs_start(struct jobs *jobs, const struct job_kind *kind, uint64_t id, struct device *other,
	struct err *err)
{
	enum err_code code = jobs_need_idle(jobs, err);
	if (code != ERR_OK) {
		return code;
	}
	jobs->id = id;
	jobs->device_count = 0;
	if (kind->numbered) {
		snprintf(jobs->what, sizeof jobs->what, "%s %llu", kind->name, (unsigned long long)id);
	} else {
		snprintf(jobs->what, sizeof jobs->what, "%s", kind->name);
	}
	atomic_store(&jobs->interrupt, LEASE_RUNNING);
	atomic_store(&jobs->cancel, false);
	if (kind->takes_focuser) {
		code = take(jobs, jobs->focuser, err);
	}
	if (code == ERR_OK && other != NULL) {
		code = take(jobs, other, err);
	}
	if (code != ERR_OK) {
		drop_leases(jobs);
		jobs->device_count = 0;
		return code;
	}
	jobs->kind = kind;
	pthread_cond_signal(&jobs->work);
	jobs_changed(jobs);
	return ERR_OK;
}

void jobs_abort(struct jobs *jobs, const struct job_kind *kind)
{
	pthread_mutex_lock(&jobs->lock);
	bool running = jobs->kind != NULL && (kind == NULL || jobs->kind == kind);
	if (running) {
		interrupt(jobs, LEASE_ABORT);
	}
	pthread_mutex_unlock(&jobs->lock);
	if (running) {
		poke(jobs);
	}
}
