/* SPDX-License-Identifier: MIT */
/*
 * Seeded random numbers for the simulator: xoshiro256++ (Blackman and Vigna, Scrambled Linear
 * Pseudorandom Number Generators, 2021) seeded through splitmix64, and normal deviates by the
 * ziggurat method (Marsaglia and Tsang, The Ziggurat Method for Generating Random Variables, 2000).
 * One generator per thread.
 */
#ifndef FOCUSD_SIM_RANDOM_H
#define FOCUSD_SIM_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct sim_random {
	uint64_t s[4];
};

/* Starts the stream of this seed; stream separates independent uses of one seed. */
void sim_random_init(struct sim_random *random, uint64_t seed, uint64_t stream);

static inline uint64_t sim_random_u64(struct sim_random *random)
{
	uint64_t *s = random->s;
	uint64_t sum = s[0] + s[3];
	uint64_t result = ((sum << 23) | (sum >> 41)) + s[0];
	uint64_t t = s[1] << 17;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = (s[3] << 45) | (s[3] >> 19);
	return result;
}

/* Uniform in the open interval (0, 1). */
static inline double sim_random_uniform(struct sim_random *random)
{
	return ((double)(sim_random_u64(random) >> 11) + 0.5) * 0x1p-53;
}

/* Layers of the ziggurat: layer i is x[i+1]..x[i] wide.  Filled by sim_ziggurat_init(). */
#define SIM_ZIGGURAT_LAYERS 256

struct sim_ziggurat {
	struct {
		float width;     /* x[i] * 2^-24 */
		int32_t inside;  /* 24-bit values below this are surely inside */
	} layer[SIM_ZIGGURAT_LAYERS];
	double x[SIM_ZIGGURAT_LAYERS + 1];
	double y[SIM_ZIGGURAT_LAYERS + 1];
};

/* Fills the tables. The caller owns them (one set for each camera) and only reads them afterwards. */
void sim_ziggurat_init(struct sim_ziggurat *ziggurat);

/* Fills out with normal deviates of mean 0 and standard deviation 1; count is even. */
void sim_normal_fill(const struct sim_ziggurat *ziggurat, struct sim_random *random, float *out,
	size_t count);

/* A normal deviate without tables, for the few numbers a frame needs (Box and Muller, 1958). */
double sim_normal_simple(struct sim_random *random);

#endif
