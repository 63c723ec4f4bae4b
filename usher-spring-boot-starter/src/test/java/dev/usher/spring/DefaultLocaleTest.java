package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;

import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.Method;
import java.util.Locale;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.mock.web.MockHttpServletResponse;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The gate's answers are JSON in every default locale of the JVM. */
class DefaultLocaleTest {

    private final Locale before = Locale.getDefault();

    @AfterEach
    void restore() {
        Locale.setDefault(before);
    }

    @ParameterizedTest
    @ValueSource(strings = {"ar-EG", "hi-IN-u-nu-deva", "th-TH-u-nu-thai", "tr-TR", "fa-IR"})
    void aRefusalIsJson(String locale) throws Exception {
        Locale.setDefault(Locale.forLanguageTag(locale));
        Class<?> refusals = new ReloadingClassLoader().loadClass(Refusal.class.getName());
        Method send = refusals.getDeclaredMethod("send", HttpServletResponse.class);
        send.setAccessible(true);

        for (Object refusal : Objects.requireNonNull(refusals.getEnumConstants())) {
            MockHttpServletResponse response = new MockHttpServletResponse();
            send.invoke(refusal, response);

            JsonNode problem = JsonMapper.shared().readTree(response.getContentAsByteArray());
            assertThat(problem.path("status").asInt()).isEqualTo(response.getStatus());
            assertThat(problem.path("type").asString())
                    .isEqualTo("urn:usher:problem:"
                            + ((Enum<?>) refusal)
                                    .name()
                                    .toLowerCase(Locale.ROOT)
                                    .replace('_', '-'));
        }
    }

    /** Loads the refusals again: their bodies are built when the class is initialized, in the default locale of that moment. */
    private static final class ReloadingClassLoader extends ClassLoader {

        ReloadingClassLoader() {
            super(DefaultLocaleTest.class.getClassLoader());
        }

        @Override
        public Class<?> loadClass(String name) throws ClassNotFoundException {
            if (!name.equals(Refusal.class.getName())) {
                return super.loadClass(name);
            }
            try (InputStream bytes =
                    Objects.requireNonNull(super.getResourceAsStream(name.replace('.', '/') + ".class"))) {
                byte[] all = bytes.readAllBytes();
                return defineClass(name, all, 0, all.length);
            } catch (IOException e) {
                throw new ClassNotFoundException(name, e);
            }
        }
    }
}
