/* SPDX-License-Identifier: MIT */
/*
 * One question to the focus motor and its answer, however the motor is reached: its own USB, the bus
 * of a mount through a level adapter, a hand controller, or the network.  All calls come from
 * one thread; deadlines are absolute times of clock_real().
 */
#ifndef FOCUSD_CELESTRON_LINK_H
#define FOCUSD_CELESTRON_LINK_H

#include "celestron_codec.h"
#include "focuser_driver.h"
#include "wire.h"

/* Words of quirks that say how the motor is wired; without one it is its own USB, or the network. */
extern const struct focuser_quirk celestron_quirks[];

struct celestron_link {
	struct wire wire;
	bool hand_controller, aux_port, no_cts; /* of the quirks */
	bool network;
	bool found;             /* the motor has answered since the port was opened */
	int64_t keep_alive_ms;  /* network: when to say something next */
	/* The answer to the command `doubted` did not come.  Until another command is answered it may still come,
	 * and be taken for the answer to the same command asked again. */
	bool doubt;
	uint8_t doubted;
	/* Bytes of the answer that the hand controller still owes us, -1 none.  It waits up to 3.5 s for the
	 * motor. */
	int owed;
	int64_t owed_until_ms;
	bool motorless;         /* its last word was that no motor answers it */
};

/* Opens the port as the quirks say; sends nothing. */
enum err_code celestron_link_open(struct celestron_link *l, const struct focuser_port *port,
	const struct driver_host *host, struct err *err);

/* Closes; fine when not open. */
void celestron_link_close(struct celestron_link *l);

/* Before the first question: listens for somebody who talks unasked, and greets a hand controller. */
enum err_code celestron_link_greet(struct celestron_link *l, int64_t deadline_ms, struct err *err);

/* Sends a command with its data and waits for the motor's answer, which has `wanted` bytes (the hand
 * controller must be told).  ERR_TIMEOUT and ERR_PROTOCOL as exchange_ask(), ERR_REFUSED when the motor
 * does not understand, ERR_IO, ERR_CANCELLED. */
enum err_code celestron_link_ask(struct celestron_link *l, uint8_t command, const uint8_t *data,
	int count, int wanted, struct celestron_packet *reply, int64_t deadline_ms, struct err *err);

/* The same for an order that must go out, urgent or not: a stop, a calibration.  Nothing cuts it short. */
enum err_code celestron_link_order(struct celestron_link *l, uint8_t command, const uint8_t *data,
	int count, int64_t deadline_ms, struct err *err);

/* Says something now and then on a network link, so that the access point does not drop it; does nothing on
 * others. */
enum err_code celestron_link_keep_alive(struct celestron_link *l, struct err *err);

#endif
