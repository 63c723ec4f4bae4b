package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.NullSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.SpringApplication;

class RequiredSpringBootTest {

    @ParameterizedTest
    @ValueSource(strings = {"3.5.7", "3.5.99-SNAPSHOT", "2.7.18"})
    void anOlderVersionIsRefused(String version) {
        assertThatThrownBy(() -> RequiredSpringBoot.require(version))
                .hasMessage(
                        "usher-spring-boot-starter needs Spring Boot 4.0 or newer, but this is Spring Boot " + version);
    }

    @ParameterizedTest
    @NullSource
    @ValueSource(strings = {"4.0.0", "4.0.0-M1", "4.1.2", "5.0.0", "10.0.0", "our own build", "99999999999.0"})
    void aLaterVersionAndOneThatCannotBeReadAreNot(String version) {
        assertThatCode(() -> RequiredSpringBoot.require(version)).doesNotThrowAnyException();
    }

    /** In its own JVM, with only the starter's classes and the jars of Spring Boot 3.5. */
    @Test
    void anApplicationOfSpringBoot3ReportsTheRequiredVersion() throws IOException, InterruptedException {
        Process application = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-XX:TieredStopAtLevel=1",
                        "-cp",
                        String.join(
                                System.getProperty("path.separator"),
                                "target/classes",
                                "target/test-classes",
                                "target/old-spring-boot/*"),
                        OldApplication.class.getName())
                .redirectErrorStream(true)
                .start();
        String output = new String(application.getInputStream().readAllBytes(), StandardCharsets.UTF_8);

        assertThat(application.waitFor()).isEqualTo(1);
        assertThat(output)
                .contains("APPLICATION FAILED TO START")
                .contains("usher-spring-boot-starter needs Spring Boot 4.0 or newer."
                        + " This application runs on Spring Boot 3.5.")
                .contains("Raise the version of Spring Boot in the build")
                .doesNotContain("NoClassDefFoundError")
                .doesNotContain("it has started");
    }

    static final class OldApplication {

        private OldApplication() {}

        public static void main(String[] arguments) {
            SpringApplication.run(OldApplication.class, arguments);
            System.out.println("it has started");
        }
    }
}
