package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class IdTypeTest {

    @Test
    void theTextOfAnIdBecomesTheIdAgain() {
        UUID uuid = UUID.randomUUID();
        assertThat(IdType.LONG.parseOrNull("42")).isEqualTo(42L);
        assertThat(IdType.INTEGER.parseOrNull("42")).isEqualTo(42);
        assertThat(IdType.STRING.parseOrNull("ann")).isEqualTo("ann");
        assertThat(IdType.UUID.parseOrNull(uuid.toString())).isEqualTo(uuid);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "ann", "042", "+42", "4.2", "9223372036854775808"})
    void aTextThatIsNotAnIdBelongsToNoUser(String text) {
        assertThat(IdType.LONG.parseOrNull(text)).isNull();
    }

    @Test
    void aUuidIsWrittenInOneWayOnly() {
        assertThat(IdType.UUID.parseOrNull("1-1-1-1-1")).isNull();
    }

    @Test
    void aClassThatIdsAreNotOfIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> IdType.of(Short.class))
                .withMessageContaining("a Long, an Integer, a UUID or a String")
                .withMessageContaining("java.lang.Short");
    }

    @ParameterizedTest
    @EnumSource(IdType.class)
    void anIdIsOfItsTypeAndOfNoOther(IdType type) {
        for (Object id : new Object[] {42L, 42, UUID.randomUUID(), "42", (short) 42}) {
            if (type == IdType.STRING
                    ? id instanceof String
                    : id.getClass().getSimpleName().equalsIgnoreCase(type.name())) {
                type.require(id);
            } else {
                assertThatIllegalArgumentException()
                        .isThrownBy(() -> type.require(id))
                        .withMessage("an id of this cache is " + type.text() + ", not a value of the type "
                                + id.getClass().getName());
            }
        }
    }
}
