/* The keys that wrap the keys of bodies under SSE-S3: few, made here, kept in the store wrapped by the vault, held in
 * memory. So a change of the installation's root key rewraps this handful of records, and a new wrapping key (a
 * generation) serves what is written from then on, while the older ones go on opening what they wrapped; no body is
 * written again. Any thread. Keys:
 *
 *     ("s3", "keyring", generation) */
#pragma once
#include "services/s3/cipher.h"
#include "store/store.h"

struct vault;
struct s3_keyring;
/* Loads all generations, makes the first where there is none; durable on return. CORRUPT where the vault cannot open
 * one. */
status s3_keyring_open(struct store *s, const struct vault *v, struct s3_keyring **out) MUST_USE;
/* Wipes. NULL is fine. */
void s3_keyring_free(struct s3_keyring *r);
/* The generation that wraps now, and its key. */
uint32_t s3_keyring_newest(struct s3_keyring *r, uint8_t key[S3_KEY_BYTES]);
/* CORRUPT where there is no such generation. */
status s3_keyring_key(struct s3_keyring *r, uint32_t generation, uint8_t key[S3_KEY_BYTES]) MUST_USE;
/* A new generation; durable before it wraps anything. LIMIT past 1,000. */
status s3_keyring_rotate(struct s3_keyring *r) MUST_USE;
/* Writes all generations again, wrapped by that vault, which is the keyring's from then on; durable on return. After a
 * reset, or for a new root key: no body is touched. */
status s3_keyring_rewrap(struct s3_keyring *r, const struct vault *v) MUST_USE;
