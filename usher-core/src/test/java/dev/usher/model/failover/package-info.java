/**
 * A ban while the Sentinels of a Redis replace its primary: does a confirmed receipt hold, and can an old value stay?
 *
 * <p>One user, whose row goes from enabled to disabled once. The <em>announcer</em> bans the user: commit, FENCE, REVOKE, {@code WAIT}, the Sentinels, the nodes, the receipt. The
 * <em>reader</em> is another node, which connects, enters the register, caches what it reads in memory, and follows the Sentinels. There are three
 * Sentinels, and two or three servers. Ages are counted in ticks of one staleness bound, and any number of steps fit between two ticks.
 *
 * <p>Not explored: answers of Redis under way and claims ({@code dev.usher.model.reads}), registers that lose entries or numbers ({@code dev.usher.model.register}), more
 * Sentinels than three, fewer, or a number of them that changes, two users, two bans.
 */
@NullMarked
package dev.usher.model.failover;

import org.jspecify.annotations.NullMarked;
