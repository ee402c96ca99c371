/* SPDX-License-Identifier: MIT */
/* The cells of the bank, by what goes wrong in them. */
#include "bank.h"

#define ANY_OBSTRUCTION -1

const struct bank_cell bank_cells[] = {
	/* Steady skies. */
	{"optics", .obstruction = ANY_OBSTRUCTION},
	{"blind", .obstruction = ANY_OBSTRUCTION, .knows = BANK_BLIND},
	{"calibrated", .obstruction = ANY_OBSTRUCTION, .knows = BANK_CALIBRATED},
	{"calibrated-scatter-2", .obstruction = 0.34, .knows = BANK_CALIBRATED, .scatter = {0.02, 0.02}},
	{"scatter-2", .obstruction = 0.34, .scatter = {0.02, 0.02}},
	{"scatter-10", .obstruction = 0.34, .scatter = {0.1, 0.1}, .nasty = true},
	{"scatter-15", .obstruction = 0.34, .scatter = {0.15, 0.15}, .nasty = true},
	{"short-exposure", .obstruction = 0.34, .scatter = {0.16, 0.25}, .duration = {0.3, 0.3}, .nasty = true},
	{"f2", .obstruction = 0.45, .ratio = {2, 2.4}},
	{"f10", .obstruction = 0.34, .ratio = {10, 10.5}},
	{"refractor", .obstruction = 0, .ratio = {4.5, 7.5}},
	{"poor-seeing", .obstruction = ANY_OBSTRUCTION, .seeing = {5, 8}},
	{"three-stars", .obstruction = ANY_OBSTRUCTION, .stars = {3, 3}, .nasty = true},
	{"many-stars", .obstruction = ANY_OBSTRUCTION, .stars = {300, 900}},
	{"far", .obstruction = 0.34, .start = {18, 22}},
	{"far-blind", .obstruction = 0.34, .start = {18, 22}, .knows = BANK_BLIND, .nasty = true},
	{"blur-60-px", .obstruction = 0.34, .start_blur = {50, 60}},
	/* Mechanics. */
	{"backlash-configured", .obstruction = 0.34, .backlash = {1, 8}, .configured = 1.5},
	{"backlash-1", .obstruction = 0.34, .backlash = {0.3, 2}, .nasty = true},
	{"backlash-5", .obstruction = 0.34, .backlash = {4, 6}, .nasty = true},
	{"backlash-8", .obstruction = 0.34, .backlash = {7, 9}, .nasty = true},
	{"backlash-20", .obstruction = 0.34, .backlash = {18, 22}, .nasty = true},
	{"backlash-blind", .obstruction = 0.34, .backlash = {2, 20}, .knows = BANK_BLIND, .nasty = true},
	{"backlash-calibrated", .obstruction = 0.34, .backlash = {2, 20}, .knows = BANK_CALIBRATED, .nasty = true},
	{"backlash-half", .obstruction = 0.34, .backlash = {2, 10}, .configured = 0.5, .nasty = true},
	{"slip-0.05", .obstruction = 0.34, .slip = {0.05, 0.05}, .nasty = true},
	{"slip-0.2", .obstruction = 0.34, .slip = {0.2, 0.2}, .nasty = true},
	{"slip-0.5", .obstruction = 0.34, .slip = {0.5, 0.5}, .nasty = true},
	{"slip-calibrated", .obstruction = 0.34, .slip = {0.2, 0.5}, .knows = BANK_CALIBRATED, .nasty = true},
	{"slip-once", .obstruction = 0.34, .jump = {0.5, 4}, .nasty = true},
	{"uneven-1.15", .obstruction = 0.34, .uneven = {1.15, 1.15}, .nasty = true},
	{"uneven-1.3", .obstruction = 0.34, .uneven = {1.3, 1.3}, .nasty = true},
	{"uneven-1.8", .obstruction = 0.34, .uneven = {1.8, 1.8}, .nasty = true},
	{"drift", .obstruction = 0.34, .drift = {0.03, 0.03}, .nasty = true},
	{"stuck", .obstruction = 0.34, .impossible = true, .spoil = BANK_STUCK, .start = {2, 6}, .nasty = true},
	/* The sky. */
	{"cloud-once", .obstruction = 0.34, .spoil = BANK_CLOUD, .spoil_by = {0.4, 0.4}, .spoil_frame = {0, 9},
		.spoil_count = 1},
	{"cloud-passes", .obstruction = 0.34, .spoil = BANK_CLOUD, .spoil_by = {0.1, 0.4}, .spoil_frame = {0, 9},
		.spoil_count = 3, .nasty = true},
	{"bright-first", .obstruction = 0.34, .spoil = BANK_CLOUD, .spoil_by = {0.3, 0.4}, .spoil_frame = {1, 1},
		.nasty = true},
	{"gust", .obstruction = 0.34, .spoil = BANK_GUST, .spoil_by = {1.3, 2}, .spoil_frame = {0, 9},
		.spoil_count = 1},
	{"gusts", .obstruction = 0.34, .spoil = BANK_GUST, .spoil_by = {1.3, 2}, .spoil_frame = {0, 9},
		.spoil_count = 2, .nasty = true},
	{"clipped", .obstruction = 0.34, .spoil = BANK_CLIPPED, .spoil_by = {0.2, 0.45}, .nasty = true},
	{"confused", .obstruction = 0.34, .spoil = BANK_CONFUSED, .start = {18, 22}, .nasty = true},
	{"noise", .impossible = true, .obstruction = 0.34, .spoil = BANK_NOISE, .nasty = true},
	{"dark", .impossible = true, .obstruction = 0.34, .spoil = BANK_DARK, .nasty = true},
	/* Wrong knowledge. */
	{"step-size-10", .obstruction = 0.34, .step_size_wrong = 10, .nasty = true},
	{"step-size-tenth", .obstruction = 0.34, .step_size_wrong = 0.1, .nasty = true},
	{"slope-double", .obstruction = 0.34, .knows = BANK_CALIBRATED, .slope_wrong = 2, .nasty = true},
	{"slope-half", .obstruction = 0.34, .knows = BANK_CALIBRATED, .slope_wrong = 0.5, .nasty = true},
	/* Limits. */
	{"limit-near", .obstruction = 0.34, .knows = BANK_CALIBRATED, .limit = 0.7, .start = {1, 4}, .nasty = true},
	{"limit-before", .impossible = true, .obstruction = 0.34, .limit = -2, .start = {3, 6}, .nasty = true},
	{"radius", .impossible = true, .obstruction = 0.34, .radius = 4, .start = {6, 8}, .nasty = true},
};
const size_t bank_cell_count = sizeof bank_cells / sizeof bank_cells[0];
