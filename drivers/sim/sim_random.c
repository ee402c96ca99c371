/* SPDX-License-Identifier: MIT */
#include "sim_random.h"

#include <math.h>
#include <stdlib.h>

static uint64_t splitmix(uint64_t *state)
{
	*state += 0x9E3779B97F4A7C15u;
	uint64_t z = *state;
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	return z ^ (z >> 31);
}

void sim_random_init(struct sim_random *random, uint64_t seed, uint64_t stream)
{
	uint64_t state = seed;
	uint64_t mixed = splitmix(&state) ^ (stream * 0xD1342543DE82EF95u);
	for (int i = 0; i < 4; i++) {
		random->s[i] = splitmix(&mixed);
	}
}

double sim_normal_simple(struct sim_random *random)
{
	double u = sim_random_uniform(random);
	double v = sim_random_uniform(random);
	return sqrt(-2.0 * log(u)) * cos(2.0 * M_PI * v);
}

/* Where the tail begins, and the area of each of 256 layers under exp(-x^2/2): the constants of the paper by Marsaglia
 * and Tsang. */
static const double tail_start = 3.6541528853610088;
static const double layer_area = 0.00492867323399;

void sim_ziggurat_init(struct sim_ziggurat *z)
{
	/* Layer 0 is the base strip with the tail: a rectangle of the same area that is wider than the
	 * tail's start. */
	double f = exp(-0.5 * tail_start * tail_start);
	z->x[0] = layer_area / f;
	z->x[1] = tail_start;
	z->y[0] = 0.0;
	z->y[1] = f;
	for (int i = 2; i < SIM_ZIGGURAT_LAYERS; i++) {
		double y = z->y[i - 1] + layer_area / z->x[i - 1];
		z->y[i] = y;
		z->x[i] = sqrt(-2.0 * log(y));
	}
	z->x[SIM_ZIGGURAT_LAYERS] = 0.0;
	z->y[SIM_ZIGGURAT_LAYERS] = 1.0;
	for (int i = 0; i < SIM_ZIGGURAT_LAYERS; i++) {
		z->layer[i].width = (float)(z->x[i] * 0x1p-24);
		z->layer[i].inside = (int32_t)(z->x[i + 1] / z->x[i] * 0x1p24);
	}
}

/* Handles the rare cases: the wedges of the layers and the tail. */
static float normal_slow(const struct sim_ziggurat *z, struct sim_random *random, unsigned layer,
	uint32_t value, float sign)
{
	for (;;) {
		double x = value * (z->x[layer] * 0x1p-24);
		if ((int32_t)value < z->layer[layer].inside) {
			return sign * (float)x;
		}
		if (layer == 0) {
			double a;
			double b;
			do {
				a = -log(sim_random_uniform(random)) / tail_start;
				b = -log(sim_random_uniform(random));
			} while (b + b < a * a);
			return sign * (float)(tail_start + a);
		}
		double y = z->y[layer] + sim_random_uniform(random) * (z->y[layer + 1] - z->y[layer]);
		if (y < exp(-0.5 * x * x)) {
			return sign * (float)x;
		}
		uint64_t bits = sim_random_u64(random);
		layer = (unsigned)(bits & (SIM_ZIGGURAT_LAYERS - 1));
		sign = (bits & 256) != 0 ? -1.0f : 1.0f;
		value = (uint32_t)(bits >> 40);
	}
}

/* Makes a deviate of 32 random bits: 8 of them choose the layer, the others are sign and place. Only the rare cases
 * need a call. */
static inline float normal(const struct sim_ziggurat *z, struct sim_random *random, uint32_t bits)
{
	unsigned layer = bits & (SIM_ZIGGURAT_LAYERS - 1);
	/* The number is odd, so that there is no zero with two signs. */
	int32_t value = (int32_t)bits >> 7 | 1;
	if (__builtin_expect(abs(value) < z->layer[layer].inside, 1)) {
		return (float)value * z->layer[layer].width;
	}
	struct sim_random copy = *random;
	float slow = normal_slow(z, &copy, layer, (uint32_t)abs(value), value < 0 ? -1.0f : 1.0f);
	*random = copy;
	return slow;
}

void sim_normal_fill(const struct sim_ziggurat *z, struct sim_random *random, float *out, size_t count)
{
	/* Nobody has the address of the copy, so the compiler keeps it in registers. */
	struct sim_random mine = *random;
	for (size_t i = 0; i + 1 < count; i += 2) {
		uint64_t bits = sim_random_u64(&mine);
		out[i] = normal(z, &mine, (uint32_t)bits);
		out[i + 1] = normal(z, &mine, (uint32_t)(bits >> 32));
	}
	*random = mine;
}
