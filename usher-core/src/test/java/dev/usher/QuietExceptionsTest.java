package dev.usher;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchException;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import dev.usher.redis.KeySpace;
import dev.usher.redis.NoMajorityException;
import dev.usher.redis.SharedTierException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Internal exceptions, which each call throws and handles while Redis is away, have no stack trace. */
class QuietExceptionsTest {

    static Stream<Throwable> quiet() throws Exception {
        Bulkhead full = new Bulkhead(0, Duration.ZERO, System::nanoTime);
        return Stream.of(
                new SharedTierException("Redis at host:6379 is not connected", null),
                new NoMajorityException("no majority of its Sentinels names a primary"),
                requireNonNull(catchException(
                        () -> full.begin(new CallerSteps(Runnable::run)).requireMayWait())),
                new Bulkhead.OverdueException(),
                new UnreadableEntryException("no JSON"),
                new UnreadableUsersException(Map.of(), Map.of(1L, new IllegalStateException("a row"))),
                UserUnavailableException.ofRefusal(new KeySpace("user", "name"), Set.of(1L), "too many"));
    }

    @ParameterizedTest
    @MethodSource
    void quiet(Throwable exception) {
        exception.addSuppressed(new IllegalStateException("something else"));

        assertThat(exception.getStackTrace()).isEmpty();
        assertThat(exception.getMessage()).isNotBlank();
    }

    @Test
    void aFailureOfTheSourceHasAStackTrace() {
        assertThat(UserUnavailableException.of(new KeySpace("user", "name"), Set.of(1L), "the source failed", null)
                        .getStackTrace())
                .isNotEmpty();
    }

    @Test
    @Tag("architecture")
    void noOtherExceptionOfTheEngineIsForgotten() throws Exception {
        List<String> tested =
                quiet().map(exception -> exception.getClass().getSimpleName()).toList();
        assertThat(new ClassFileImporter()
                                .importUrl(UserCaches.class
                                        .getProtectionDomain()
                                        .getCodeSource()
                                        .getLocation())
                                .stream()
                                .filter(type -> type.isAssignableTo(Throwable.class))
                                .map(JavaClass::getSimpleName))
                .containsExactlyInAnyOrderElementsOf(tested);
    }
}
