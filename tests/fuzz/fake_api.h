/* SPDX-License-Identifier: MIT */
/* One request to the Alpaca handlers over a core in memory, and what every answer must be like. */
#ifndef FAKE_API_H
#define FAKE_API_H

#include "alpaca.h"

/* Asks as the HTTP server would and checks the answer: 4xx with a sentence in UTF-8, or 200 with an
 * envelope in JSON, or an image, or a wait, which is asked once more and then given up. */
void fake_api_ask(enum http_verb verb, const char *path, struct span form);

#endif
