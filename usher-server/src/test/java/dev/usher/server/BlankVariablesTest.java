package dev.usher.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.core.env.StandardEnvironment;
import org.springframework.core.env.SystemEnvironmentPropertySource;

/** The meaning of blank environment variables. */
class BlankVariablesTest {

    /** Of each setting of the server. */
    static List<String> variables() {
        List<String> variables = new ArrayList<>();
        add(variables, "USHER_SERVER_", UsherServerProperties.class);
        assertThat(variables)
                .hasSizeGreaterThan(12)
                .contains("USHER_SERVER_TOKEN_TTL", "USHER_SERVER_ADMIN_MOBILE", "USHER_SERVER_READS_PER_CALLER");
        return variables;
    }

    private static void add(List<String> variables, String prefix, Class<?> settings) {
        for (RecordComponent setting : settings.getRecordComponents()) {
            String name =
                    prefix + setting.getName().replaceAll("([A-Z])", "_$1").toUpperCase(Locale.ROOT);
            if (setting.getType().isRecord()) {
                add(variables, name + "_", setting.getType());
            } else {
                variables.add(name);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("variables")
    void aSettingOfTheServerIsItsDefault(String variable) {
        assertThat(bind(Map.of(variable, " "))).isEqualTo(bind(Map.of()));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "PORT",
                "MANAGEMENT_PORT",
                "port",
                "USHER_KEY_PREFIX",
                "usher.server.issuer",
                "usher_server_issuer"
            })
    void aVariableOfUsherIsNotSet(String variable) {
        for (String blank : new String[] {"", " ", "\t"}) {
            assertThat(environment(Map.of(variable, blank)).resolvePlaceholders("${" + variable + ":unset}"))
                    .isEqualTo("unset");
        }
    }

    @Test
    void otherVariablesAreUnchanged() {
        StandardEnvironment environment = environment(
                new HashMap<>(Map.of("USHER_SERVER_ISSUER", " a ", "PORT", "0", "SPRING_DATASOURCE_PASSWORD", "")));

        assertThat(environment.getProperty("USHER_SERVER_ISSUER")).isEqualTo(" a ");
        assertThat(environment.getProperty("PORT")).isEqualTo("0");
        assertThat(environment.getProperty("spring.datasource.password")).isEmpty();
    }

    private static UsherServerProperties bind(Map<String, Object> variables) {
        return Binder.get(environment(variables)).bindOrCreate("usher.server", UsherServerProperties.class);
    }

    private static StandardEnvironment environment(Map<String, Object> variables) {
        StandardEnvironment environment = new StandardEnvironment();
        String name = StandardEnvironment.SYSTEM_ENVIRONMENT_PROPERTY_SOURCE_NAME;
        environment.getPropertySources().replace(name, new SystemEnvironmentPropertySource(name, variables));
        new BlankVariables().postProcessEnvironment(environment, new SpringApplication());
        return environment;
    }
}
