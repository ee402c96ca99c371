/* SPDX-License-Identifier: MIT */
/* How far a position can be trusted, as it is remembered and as it is told. */
#ifndef FOCUSD_POSITION_TRUST_H
#define FOCUSD_POSITION_TRUST_H

/*
 * How far the position can be trusted, by the journal of positions (position_journal.h), the device's own
 * word and what happened since; position_verdict.h has the rules.  Told by page, /events, /metrics and
 * log, never by Alpaca members or extra DeviceState names.
 *
 * Moves stay allowed with a position that is shifted or unknown, each with a warning in the log: at three
 * in the morning a client that is refused loses the night, while an autofocus run finds the stars
 * whatever the number is (if it fails, its reason says that the position was not trusted).  One move is
 * refused: one that would leave 0..max_step by the remembered count, where that is still known, and could
 * drive into a stop.  Nothing moves by itself, ever;
 * trust comes back through focuser_set_position() alone, or when the device says again what was
 * remembered.  After a power cut in a move to restore where the motor was last seen is a guess: the position
 * stays unknown, within the way of that move.
 */
#define FOCUSER_WHY 200
enum focuser_trust { POSITION_UNKNOWN, POSITION_KNOWN, POSITION_SHIFTED };
const char *focuser_trust_name(enum focuser_trust trust); /* "unknown", "known", "shifted" */

#endif
