/* SPDX-License-Identifier: MIT */
/* The exact V-curve: half-flux radius of long-exposure seeing convolved with an annulus. */
#ifndef FOCUSD_BANK_SEEING_H
#define FOCUSD_BANK_SEEING_H

/* Half-flux radius at a blur.
 * Given: u, the diameter of the blur in units of the in-focus FWHM, any sign; obstruction, diameter fraction, 0..0.6.
 * Returned: g, HFR over the in-focus FWHM, in an infinite aperture.
 * Notes: 1) within 2e-3 of the table in which other programs' numbers stand: tests/bank/test_bank.c
 * sky_is_the_exact_curve.  2) the first call for an obstruction (to a hundredth) makes a table, 0.1 s; at most 16
 * obstructions.  3) one thread only.
 * Method: the share of the light inside r is 2 pi r times the integral of MTF(f) J1(2 pi f r) over f; the MTF is the
 * product of exp(-3.44 (f/0.976)^(5/3)), f in cycles per FWHM, and of that of the annulus.
 * Sources: Fried, Journal of the Optical Society of America 56 (1966) 1372; Born and Wolf, Principles of Optics. */
double seeing_g(double u, double obstruction);

#endif
