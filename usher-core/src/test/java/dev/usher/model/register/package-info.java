/**
 * The register of nodes of one Redis that loses entries and numbers: does a receipt hold, and is everything ended that is open for a banned user?
 *
 * <p>One user, who is banned once. The <em>node</em> connects, enters the register, reads, lets the user in, and may be silent, taken out, and return. The <em>announcer</em> bans the
 * user; <em>another announcer</em> bans others, which pushes names out of the register, and takes the node out that it has waited for. The register may be flushed, evicted, empty after a
 * restart, or older than it was. Answers of Redis to the node may be under way for any time. The ring of names has two places here, and ages are counted in ticks of one staleness bound.
 *
 * <p>Not explored: replicas ({@code dev.usher.model.failover}), more than one node beside the announcers, registers of tenants, format numbers, rows that are offered or filled around a flush.
 */
@NullMarked
package dev.usher.model.register;

import org.jspecify.annotations.NullMarked;
