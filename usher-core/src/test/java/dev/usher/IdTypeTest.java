package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class IdTypeTest {

    @Test
    void theTextOfAnIdBecomesTheIdAgain() {
        UUID uuid = UUID.randomUUID();
        assertThat(IdType.of(42L).parseOrNull("42")).isEqualTo(42L);
        assertThat(IdType.of(42).parseOrNull("42")).isEqualTo(42);
        assertThat(IdType.of("ann").parseOrNull("ann")).isEqualTo("ann");
        assertThat(IdType.of(uuid).parseOrNull(uuid.toString())).isEqualTo(uuid);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "ann", "042", "+42", "4.2", "9223372036854775808"})
    void aTextThatNoIdHasIsNobodys(String text) {
        assertThat(IdType.LONG.parseOrNull(text)).isNull();
    }

    @Test
    void aUuidIsWrittenInOneWayOnly() {
        assertThat(IdType.UUID.parseOrNull("1-1-1-1-1")).isNull();
    }

    @Test
    void anIdOfAnotherTypeIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> IdType.of(new int[] {42}))
                .withMessageContaining("a Long, an Integer, a UUID or a String");
    }
}
