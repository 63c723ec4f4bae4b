package dev.usher;

import java.util.Objects;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/**
 * One kind of information about a user, such as {@link UserProfile#FACET} or {@link UserStatus#FACET}, or one that an
 * application adds.
 *
 * <pre>{@code
 * record Badges(int karma, List<String> names) {}
 *
 * Facet<Badges> badges = Facet.of("badges", Badges.class).with(CachePolicy.of(Duration.ofMinutes(10)));
 * }</pre>
 *
 * <p>Values must be immutable: callers of one process are handed the same object. A record of scalars, of other such records and of
 * {@code List}, {@code Set} or {@code Map} is, for collections are read as unmodifiable ones. Arrays, classes with setters and the like are
 * noticed with the first value: such a facet is not cached, which the log and {@link CachesHealth#uncached} say, unless it is
 * {@linkplain #copyOnRead copied on each read}.
 *
 * <p>A facet may have more settings in later versions. Immutable.
 *
 * @param <V> the type of the values
 */
public final class Facet<V> {

    private static final Pattern NAME = Pattern.compile("[a-z][a-z0-9_-]{0,31}");

    // One for all facets, so that they can be equal.
    @SuppressWarnings("UnnecessaryLambda")
    private static final Predicate<Object> NONE_REFUSES = value -> false;

    private final String name;
    private final FacetCodec<V> codec;
    private final CachePolicy policy;
    private final boolean copiedOnRead;

    /** Says of a value that it refuses the user. */
    private final Predicate<? super V> refuses;

    private Facet(
            String name, FacetCodec<V> codec, CachePolicy policy, boolean copiedOnRead, Predicate<? super V> refuses) {
        if (!NAME.matcher(name).matches()) {
            throw new IllegalArgumentException(
                    "a facet's name is a lower-case letter, then up to 31 lower-case letters,"
                            + " digits, '-' or '_', but this is '" + name + "'");
        }
        this.name = name;
        this.codec = codec;
        this.policy = policy;
        this.copiedOnRead = copiedOnRead;
        this.refuses = refuses;
    }

    /**
     * A facet whose values all callers share.
     *
     * @param name see {@link #name()}
     * @param codec see {@link #codec()}
     * @param policy see {@link #policy()}
     * @throws IllegalArgumentException when it is no such name
     */
    public Facet(String name, FacetCodec<V> codec, CachePolicy policy) {
        this(name, codec, policy, false, NONE_REFUSES);
    }

    /**
     * A facet in JSON with the {@linkplain CachePolicy#builder default policy}.
     *
     * @param name see {@link #name()}
     * @param type the class of the values, see {@link FacetCodec#json}
     * @param <V> the type of the values
     * @return the facet
     * @throws IllegalArgumentException when it is no such name
     */
    public static <V> Facet<V> of(String name, Class<V> type) {
        return new Facet<>(name, FacetCodec.json(type), CachePolicy.builder().build());
    }

    /**
     * The last part of the facet's keys, as in {@code user:42:badges}: a lower-case letter, then up to 31 lower-case letters, digits,
     * hyphens or underscores.
     */
    public String name() {
        return name;
    }

    /** How values are written in Redis. */
    public FacetCodec<V> codec() {
        return codec;
    }

    /** How long answers live. */
    public CachePolicy policy() {
        return policy;
    }

    /** Whether each caller gets a copy, see {@link #copyOnRead}. */
    public boolean copiedOnRead() {
        return copiedOnRead;
    }

    /** This facet with another policy. */
    public Facet<V> with(CachePolicy policy) {
        return new Facet<>(name, codec, policy, copiedOnRead, refuses);
    }

    /**
     * This facet, with a copy of the value for each caller, which may change it: for values that are not immutable. A copy is made by writing
     * the value and reading it back, so that an answer from memory takes as long as that.
     */
    public Facet<V> copyOnRead() {
        return new Facet<>(name, codec, policy, true, refuses);
    }

    /**
     * This facet, with the values by which a user is refused, such as {@link UserStatus#DISABLED}.
     *
     * <p>While a facet that {@linkplain CachePolicy#serveStaleFor serves no stale answers} does not believe Redis, such as in the ten seconds after a revocation, each
     * call asks the source. An answer that refuses is cached for the staleness bound then, and so is that there is no such user: a banned user that goes on asking costs
     * about one query a second. An answer that admits is never cached then.
     *
     * @param refuses says of a value that it refuses the user. It is called often, and must neither block nor throw
     */
    public Facet<V> refusing(Predicate<? super V> refuses) {
        return new Facet<>(name, codec, policy, copiedOnRead, refuses);
    }

    /** Whether a user with this value, or {@code null} for no such user, is refused. */
    boolean isRefusal(@Nullable V value) {
        return value == null || refuses.test(value);
    }

    /** This facet, written by an application's mapper if its JSON is the application's and has no mapper of its own. */
    Facet<V> writtenBy(JsonMapper mapper) {
        return codec instanceof JsonFacetCodec<V> json
                ? new Facet<>(name, json.writtenBy(mapper), policy, copiedOnRead, refuses)
                : this;
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof Facet<?> facet
                && name.equals(facet.name)
                && codec.equals(facet.codec)
                && policy.equals(facet.policy)
                && copiedOnRead == facet.copiedOnRead
                && refuses.equals(facet.refuses);
    }

    @Override
    public int hashCode() {
        return Objects.hash(name, codec, policy, copiedOnRead, refuses);
    }

    @Override
    public String toString() {
        return "Facet[name=" + name + ", codec=" + codec + ", policy=" + policy + ", copiedOnRead=" + copiedOnRead
                + "]";
    }
}
