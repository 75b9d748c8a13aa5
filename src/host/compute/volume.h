/* Volumes as files: a volume is a sparse file; blocks never written take no room. Needs no privileges and no agent.
 *
 * Thread rule: any thread, any number at a time. Answers: OK, NOT_FOUND, INVALID (out of range), BUSY (it is there
 * already), IO. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

/* ── volumes ── paths are whole ones */
/* BUSY when it is there. Its bytes read as zeros. */
status volume_create(const char *path, uint64_t size) MUST_USE;
/* Only upwards: INVALID for less than it has. A machine that has it open learns by host_machine_volume_changed. */
status volume_grow(const char *path, uint64_t size) MUST_USE;
status volume_remove(const char *path) MUST_USE; /* OK when it is not there */
/* Its size, and the bytes that it really takes. Either may be NULL. */
status volume_size(const char *path, uint64_t *size, uint64_t *taken) MUST_USE;
/* Plain access; INVALID past the end. */
status volume_read(const char *path, uint64_t at, void *p, size_t n) MUST_USE;
status volume_write(const char *path, uint64_t at, const void *p, size_t n) MUST_USE;
/* Another volume with the same bytes. */
status volume_copy(const char *from, const char *to) MUST_USE;
