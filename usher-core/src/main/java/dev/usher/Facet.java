package dev.usher;

import java.time.Duration;
import java.util.regex.Pattern;

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
 * @param name the last part of the facet's keys, as in {@code user:42:badges}: a lower-case letter, then up to 31
 *     lower-case letters, digits, hyphens or underscores
 * @param codec how values are written in Redis
 * @param policy how long answers live
 * @param <V> the type of the values
 */
public record Facet<V>(String name, FacetCodec<V> codec, CachePolicy policy) {

    private static final Pattern NAME = Pattern.compile("[a-z][a-z0-9_-]{0,31}");

    public Facet {
        if (!NAME.matcher(name).matches()) {
            throw new IllegalArgumentException(
                    "a facet's name is a lower-case letter, then up to 31 lower-case letters,"
                            + " digits, '-' or '_', but this is '" + name + "'");
        }
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
        return new Facet<>(name, codec, policy);
    }
}
