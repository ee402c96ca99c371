/* SPDX-License-Identifier: MIT */
#include "emulated_motor.h"

#include <math.h>
#include <string.h>

static int64_t now_ms(const struct emulated_motor *m)
{
	return clock_now_ms(m->clock);
}

void emulated_motor_init(struct emulated_motor *m, struct clock *clock, int64_t position)
{
	memset(m, 0, sizeof *m);
	m->clock = clock;
	m->begin = position;
	m->speed = 1;
}

int64_t emulated_motor_way(const struct emulated_motor *m)
{
	int64_t since_ms = now_ms(m) - m->begun_ms;
	return since_ms <= 0 ? 0 : (int64_t)floor((double)since_ms * m->speed / 1000);
}

int64_t emulated_motor_position(struct emulated_motor *m)
{
	if (!m->running) {
		return m->begin;
	}
	int64_t way = m->goal - m->begin;
	int64_t length = way < 0 ? -way : way;
	int64_t done = emulated_motor_way(m);
	if (m->stalls && length > EMULATED_STALL_STEPS && done > EMULATED_STALL_STEPS) {
		done = EMULATED_STALL_STEPS;
	}
	if (done >= length) {
		emulated_motor_rest_at(m, m->goal);
		return m->begin;
	}
	return m->begin + (way < 0 ? -done : done);
}

void emulated_motor_go(struct emulated_motor *m, int64_t goal, double speed, int64_t late_ms)
{
	m->begin = emulated_motor_position(m);
	m->goal = goal;
	m->speed = speed;
	m->begun_ms = now_ms(m) + late_ms;
	m->running = goal != m->begin;
}

int64_t emulated_motor_heard(struct emulated_motor *m, int64_t goal)
{
	int64_t here = emulated_motor_position(m);
	int64_t sign = goal < here ? -1 : 1;
	if (m->mishears) {
		m->mishears = false;
		return goal / 10;
	}
	if (m->backwards || m->runs_past) {
		return here + (m->backwards ? -sign : sign) * EMULATED_AWAY_STEPS;
	}
	return goal;
}

void emulated_motor_rest_at(struct emulated_motor *m, int64_t position)
{
	m->begin = position;
	m->running = false;
	m->rest_since_ms = now_ms(m);
}

void emulated_motor_stop(struct emulated_motor *m)
{
	emulated_motor_rest_at(m, emulated_motor_position(m));
}

void emulated_motor_change_speed(struct emulated_motor *m, double speed)
{
	int64_t here = emulated_motor_position(m);
	if (m->running && now_ms(m) > m->begun_ms) {
		m->begin = here;
		m->begun_ms = now_ms(m);
	}
	m->speed = speed;
}

bool emulated_motor_turns(struct emulated_motor *m)
{
	(void)emulated_motor_position(m);
	return m->running && now_ms(m) >= m->begun_ms;
}

void emulated_motor_stray(struct emulated_motor *m, double speed)
{
	if (m->strays && !m->running && now_ms(m) - m->rest_since_ms >= EMULATED_STRAY_MS) {
		m->strays = false;
		emulated_motor_go(m, m->begin + EMULATED_STRAY_STEPS, speed, 0);
	}
}
