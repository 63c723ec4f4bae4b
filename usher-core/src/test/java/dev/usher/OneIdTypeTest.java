package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Phaser;
import org.junit.jupiter.api.Test;

class OneIdTypeTest {

    private static final int ROUNDS = 100_000;

    @Test
    void theFirstIdDecides() {
        OneIdType type = new OneIdType();
        assertThat(type.parseOrNull("42")).isNull();
        type.require(42L);
        type.require(43L);
        assertThat(type.parseOrNull("42")).isEqualTo(42L);
        assertThat(type.parseOrNull("ann")).isNull();
        assertThatIllegalArgumentException()
                .isThrownBy(() -> type.require(42))
                .withMessage("the ids of one cache are of one type");
    }

    @Test
    void ofTwoWhoComeFirstNeitherIsOfAnotherType() {
        OneIdType[] types = new OneIdType[ROUNDS];
        for (int round = 0; round < ROUNDS; round++) {
            types[round] = new OneIdType();
        }
        Phaser step = new Phaser(2);
        Runnable caller = () -> {
            for (OneIdType type : types) {
                step.arriveAndAwaitAdvance();
                type.require(42L);
            }
        };
        CompletableFuture<Void> other = CompletableFuture.runAsync(() -> {
            try {
                caller.run();
            } finally {
                step.arriveAndDeregister();
            }
        });
        try {
            caller.run();
        } finally {
            step.arriveAndDeregister();
        }
        other.join();
    }
}
