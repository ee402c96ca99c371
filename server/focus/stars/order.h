/* SPDX-License-Identifier: MIT */
/* Order statistics of floats, for the few hundred to few thousand samples of a sky.  Private to the stars; pure. */
#ifndef FOCUSD_ORDER_H
#define FOCUSD_ORDER_H

#include <stddef.h>

/* 1 / 0.67449, the upper quartile of the normal distribution: sigma over the median absolute deviation.  Derived. */
#define SIGMA_PER_MAD 1.4826

/* The k-th smallest.
 * Given: values[n], n > 0, no NaN among them; k, 0-based, below n.
 * Returned: the value; the values are reordered.
 * Notes: 1) exact.  2) some n comparisons on average, n^2 at worst.
 * Source: Hoare, Algorithm 65: FIND, Communications of the ACM 4 (1961) 321. */
float select_float(float *values, size_t n, size_t k);

/* Ascending order.
 * Given: values[n], no NaN among them.
 * Notes: 1) 65 to 4096 values are sorted byte by byte of their keys, lowest first: no branch depends on a value, which
 * for a few hundred of them is five times as fast as comparing.  2) exact; -0 before +0 there, in any order elsewhere.
 * Source: Knuth, The Art of Computer Programming, volume 3, section 5.2.5 (radix sorting); 5.2.2 (quicksort). */
void sort_float(float *values, size_t n);

#endif
