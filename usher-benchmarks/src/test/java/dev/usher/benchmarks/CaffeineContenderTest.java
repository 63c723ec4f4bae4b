package dev.usher.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class CaffeineContenderTest {

    private static final int ROOM = 10;

    /** Fewer than Caffeine lets wait before it evicts entries on the thread that writes in any case. */
    private static final int USERS = 60;

    private final CountedSource source = new CountedSource(USERS);

    @Test
    void caffeineSetUpAlikeEvictsEntriesOnTheThreadThatWrites() {
        try (CaffeineContender alike = CaffeineContender.alike(new Site("", source, ROOM))) {
            LongStream.rangeClosed(1, USERS).forEach(id -> alike.fill(id, Users.profile(id)));

            LongStream.rangeClosed(1, USERS).forEach(alike::find);

            assertThat(source.queries()).isGreaterThanOrEqualTo(USERS - ROOM);
        }
    }
}
