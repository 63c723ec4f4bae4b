package dev.usher;

import java.util.Collection;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/**
 * The users of some revocations, as a {@link RevocationListener} may ask for them. They cannot be listed: Redis holds no id of them, only
 * hashes.
 *
 * <p>Usher makes them; {@link #of} and {@link #everyone} are for tests of listeners. Immutable and thread-safe.
 */
public final class RevokedUsers {

    private static final RevokedUsers EVERYONE = new RevokedUsers((facet, id) -> true, true);

    private final Names names;
    private final boolean isEveryone;

    /** Whether a user is among them. */
    @FunctionalInterface
    interface Names {

        boolean contains(String facet, String id);
    }

    RevokedUsers(Names names) {
        this(names, false);
    }

    private RevokedUsers(Names names, boolean isEveryone) {
        this.names = names;
        this.isEveryone = isEveryone;
    }

    /**
     * The users with these ids.
     *
     * @param facet the {@linkplain Facet#name name} of the facet in which they were revoked
     * @param ids as {@link #contains} takes them
     */
    public static RevokedUsers of(String facet, Collection<?> ids) {
        Set<String> texts = ids.stream().map(Object::toString).collect(Collectors.toSet());
        Predicate<String> isOne = texts::contains;
        return new RevokedUsers((revokedIn, id) -> revokedIn.equals(facet) && isOne.test(id));
    }

    /** Every user, in every facet. */
    public static RevokedUsers everyone() {
        return EVERYONE;
    }

    /**
     * Whether a user was revoked. Of some 10¹⁹ users, one that was not revoked may be taken for one that was.
     *
     * @param facet the {@linkplain Facet#name name} of the facet, such as {@code status}
     * @param id of the user: an object of the cache's id type, or its text
     * @return always {@code true} while {@link #isEveryone}
     */
    public boolean contains(String facet, Object id) {
        return names.contains(facet, id.toString());
    }

    /**
     * Whether it is not known who was revoked, so that any user may have been: this node was not connected, or the register of nodes in Redis is a
     * new one. A listener then asks the cache about each user for whom something is open, or ends all of it.
     */
    public boolean isEveryone() {
        return isEveryone;
    }

    @Override
    public String toString() {
        return isEveryone ? "RevokedUsers[everyone]" : "RevokedUsers[some]";
    }
}
