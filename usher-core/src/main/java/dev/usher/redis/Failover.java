package dev.usher.redis;

import java.time.Duration;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Whether a primary that is cut off stops taking writes before its Sentinels replace it, where it is set up to do so. No node of usher believes one that has
 * been replaced; what is written to it is lost all the same.
 */
final class Failover {

    /** Redis counts its replicas each second, and Sentinels need a moment to agree. */
    private static final Duration SLACK = Duration.ofSeconds(2);

    private Failover() {}

    /**
     * The risk in words, or {@code null} when there is none, or the configuration does not say.
     *
     * @param config the {@code min-replicas-*} part of the configuration of Redis
     * @param downAfter the silence after which the Sentinels give the primary up
     */
    static @Nullable String riskOf(Map<String, String> config, Duration downAfter) {
        Long toWrite = number(config.get("min-replicas-to-write"));
        Long maxLag = number(config.get("min-replicas-max-lag"));
        if (toWrite == null || toWrite == 0 || maxLag == null) {
            return null;
        }
        return Duration.ofSeconds(maxLag).plus(SLACK).compareTo(downAfter) < 0
                ? null
                : "min-replicas-max-lag of " + maxLag + " s, and 2 s more, is not below down-after-milliseconds of "
                        + downAfter.toMillis()
                        + ": a primary that is cut off still takes writes when the Sentinels replace it, and they are lost";
    }

    private static @Nullable Long number(@Nullable String text) {
        try {
            return text == null ? null : Long.valueOf(text);
        } catch (NumberFormatException e) {
            return null;
        }
    }
}
