package dev.usher;

import java.time.Duration;
import java.util.regex.Pattern;
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
 * @param name the last part of the facet's keys, as in {@code user:42:badges}: a lower-case letter, then up to 31
 *     lower-case letters, digits, hyphens or underscores
 * @param codec how values are written in Redis
 * @param policy how long answers live
 * @param copiedOnRead whether each caller gets a copy, see {@link #copyOnRead}
 * @param <V> the type of the values
 */
public record Facet<V>(String name, FacetCodec<V> codec, CachePolicy policy, boolean copiedOnRead) {

    private static final Pattern NAME = Pattern.compile("[a-z][a-z0-9_-]{0,31}");

    public Facet {
        if (!NAME.matcher(name).matches()) {
            throw new IllegalArgumentException(
                    "a facet's name is a lower-case letter, then up to 31 lower-case letters,"
                            + " digits, '-' or '_', but this is '" + name + "'");
        }
    }

    /** A facet whose values all callers share. */
    public Facet(String name, FacetCodec<V> codec, CachePolicy policy) {
        this(name, codec, policy, false);
    }

    /**
     * A facet in JSON whose entries live for up to 30 minutes.
     *
     * @param name see {@link #name()}
     * @param type the class of the values, see {@link FacetCodec#json}
     * @param <V> the type of the values
     * @return the facet
     */
    public static <V> Facet<V> of(String name, Class<V> type) {
        return new Facet<>(name, FacetCodec.json(type), CachePolicy.of(Duration.ofMinutes(30)));
    }

    /** This facet with another policy. */
    public Facet<V> with(CachePolicy policy) {
        return new Facet<>(name, codec, policy, copiedOnRead);
    }

    /**
     * This facet, with a copy of the value for each caller, who may change it: for values that are not immutable. A copy is made by writing
     * the value and reading it back, so that an answer from memory takes as long as that.
     */
    public Facet<V> copyOnRead() {
        return new Facet<>(name, codec, policy, true);
    }

    /** This facet, written by an application's mapper if its JSON is the application's and has no mapper of its own. */
    Facet<V> writtenBy(JsonMapper mapper) {
        return codec instanceof JsonFacetCodec<V> json
                ? new Facet<>(name, json.writtenBy(mapper), policy, copiedOnRead)
                : this;
    }
}
