package dev.usher.redis;

import java.util.Arrays;

/**
 * The keys of users that were revoked, as 64-bit hashes: no id stands in the register. Of two keys with one hash, both count as revoked, which costs the other one
 * a query. Immutable.
 */
public final class RevokedKeys {

    private static final RevokedKeys EVERYONE = new RevokedKeys(new long[0], true);

    private final long[] hashes;
    private final boolean isEveryone;

    private RevokedKeys(long[] hashes, boolean isEveryone) {
        this.hashes = hashes;
        this.isEveryone = isEveryone;
    }

    /** Some keys, by their hashes. */
    static RevokedKeys of(long[] hashes) {
        long[] sorted = hashes.clone();
        Arrays.sort(sorted);
        return new RevokedKeys(sorted, false);
    }

    /** Every key: it is not known which ones were revoked. */
    static RevokedKeys everyone() {
        return EVERYONE;
    }

    public boolean isEveryone() {
        return isEveryone;
    }

    /** Whether this is the {@linkplain KeySpace#keyOf key} of one of them. */
    public boolean contains(String key) {
        return isEveryone || Arrays.binarySearch(hashes, hashOf(key)) >= 0;
    }

    /** The hash of a key, which all nodes have in common: FNV-1a over the characters, and a finalizer that spreads it over all bits. */
    static long hashOf(String key) {
        long hash = 0xcbf29ce484222325L;
        for (int i = 0; i < key.length(); i++) {
            char c = key.charAt(i);
            hash = (hash ^ (c & 0xff)) * 0x100000001b3L;
            hash = (hash ^ (c >>> 8)) * 0x100000001b3L;
        }
        hash = (hash ^ (hash >>> 33)) * 0xff51afd7ed558ccdL;
        hash = (hash ^ (hash >>> 33)) * 0xc4ceb9fe1a85ec53L;
        return hash ^ (hash >>> 33);
    }
}
