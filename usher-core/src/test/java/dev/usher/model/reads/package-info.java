/**
 * Answers that are under way while a user is banned and the primary is replaced: reads, claims, their renewals and fills, and callers that join a load.
 *
 * <p>One user, who is banned once, and two servers, the second of which may be promoted. The <em>node</em> reads, claims, loads, fills, and caches in memory what it reads; each of its
 * commands, their execution and their answers are steps of their own. A receipt is confirmed when the node has seen the number, or when the bound has passed. Ages are counted in ticks of one
 * staleness bound.
 *
 * <p>Not explored: how a majority of the Sentinels is asked, and what a heartbeat proves ({@code dev.usher.model.failover}); rows that a login offers, refreshes, absences and lost guards, which
 * {@code GuardInterleavingsIT} explores on one server; connections that lead to two servers at once.
 */
@NullMarked
package dev.usher.model.reads;

import org.jspecify.annotations.NullMarked;
