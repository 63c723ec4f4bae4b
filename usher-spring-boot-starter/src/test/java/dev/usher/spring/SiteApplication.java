package dev.usher.spring;

import dev.usher.Facet;
import dev.usher.UserProfile;
import dev.usher.UserProfileCache;
import dev.usher.UserSource;
import dev.usher.UserStatus;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.core.annotation.Order;
import org.springframework.security.config.Customizer;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.userdetails.User;
import org.springframework.security.core.userdetails.UserDetailsService;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.security.web.firewall.HttpFirewall;
import org.springframework.security.web.firewall.StrictHttpFirewall;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.servlet.mvc.method.annotation.StreamingResponseBody;

/** An application that uses the current user in every way. Any name can log in with the password. */
@Configuration(proxyBeanMethods = false)
@EnableAutoConfiguration
@Import(SiteApplication.Pages.class)
class SiteApplication {

    static final String PASSWORD = "correct horse 8";

    /** Enabled. */
    static final long ANN = 1;

    /** Disabled. */
    static final long BOB = 2;

    /** Neither the status nor the profile can be loaded. */
    static final long CARL = 3;

    /** Enabled, but the profile cannot be loaded. */
    static final long DORA = 4;

    /** Disabled, and with the role of a service. */
    static final long EVE = 5;

    /** The names of services. One of them is the id of an absent user, and one that of a disabled user. */
    static final Set<String> SERVICES = Set.of("billing", "4712", Long.toString(EVE));

    @Bean
    UserSource<Long, UserProfile> profiles() {
        return ids -> load(
                ids,
                Map.of(
                        ANN, new UserProfile("13800000001", "Ann", "", false, "", ""),
                        BOB, new UserProfile("13800000002", "Bob", "", false, "", "")),
                Set.of(CARL, DORA));
    }

    @Bean
    UserSource<Long, UserStatus> statuses() {
        return ids -> load(
                ids,
                Map.of(
                        ANN,
                        UserStatus.ENABLED,
                        BOB,
                        UserStatus.DISABLED,
                        DORA,
                        UserStatus.ENABLED,
                        EVE,
                        UserStatus.DISABLED),
                Set.of(CARL));
    }

    private static <V> Map<Long, V> load(Set<Long> ids, Map<Long, V> rows, Set<Long> broken) {
        if (ids.stream().anyMatch(broken::contains)) {
            throw new IllegalStateException("the table is broken");
        }
        Map<Long, V> loaded = new HashMap<>(rows);
        loaded.keySet().retainAll(ids);
        return loaded;
    }

    record Badges(int karma) {}

    @Bean
    Facet<Badges> badges() {
        return Facet.of("badges", Badges.class);
    }

    @Bean
    UserSource<Long, Badges> badgesOfUsers() {
        return ids -> load(ids, Map.of(ANN, new Badges(7)), Set.of());
    }

    @Bean
    UserDetailsService anyName() {
        return name -> User.withUsername(name)
                .password("{noop}" + PASSWORD)
                .roles(SERVICES.contains(name) ? "SERVICE" : "USER")
                .build();
    }

    @Bean
    StatusGatePass partners() {
        return authentication -> authentication.getName().startsWith("partner-");
    }

    @Bean
    SecurityFilterChain pages(HttpSecurity http) {
        return http.authorizeHttpRequests(requests -> requests.requestMatchers("/public/**")
                        .permitAll()
                        .requestMatchers("/admin/**")
                        .hasRole("ADMIN")
                        .anyRequest()
                        .authenticated())
                .httpBasic(Customizer.withDefaults())
                .csrf(csrf -> csrf.disable())
                .build();
    }

    @Bean
    @Order(1)
    SecurityFilterChain other(HttpSecurity http) {
        return http.securityMatcher("/other/**")
                .authorizeHttpRequests(requests -> requests.anyRequest().authenticated())
                .httpBasic(Customizer.withDefaults())
                .build();
    }

    /** A firewall that accepts unusual paths, so that they reach the gate. */
    @Bean
    HttpFirewall lenient() {
        StrictHttpFirewall firewall = new StrictHttpFirewall();
        firewall.setAllowSemicolon(true);
        firewall.setAllowUrlEncodedDoubleSlash(true);
        firewall.setAllowUrlEncodedSlash(true);
        firewall.setAllowUrlEncodedPercent(true);
        firewall.setAllowUrlEncodedPeriod(true);
        firewall.setAllowBackSlash(true);
        return firewall;
    }

    /** An annotation of the application with the meta-annotation. */
    @Retention(RetentionPolicy.RUNTIME)
    @CurrentUser
    @interface Me {}

    @RestController
    record Pages(UserProfileCache<Long> profiles) {

        @GetMapping({"/me", "/public/me", "/open/me", "/other/me", "/admin/me"})
        String me(@CurrentUser UserProfile me) {
            return me.name();
        }

        @GetMapping({"/public/maybe", "/open/maybe"})
        String maybe(@CurrentUser Optional<UserProfile> me) {
            return me.map(UserProfile::name).orElse("no user");
        }

        @GetMapping({"/public/status", "/open/status"})
        String status(@CurrentUser UserStatus status) {
            return status.name();
        }

        @GetMapping({"/public/maybe-status", "/open/maybe-status"})
        String maybeStatus(@CurrentUser Optional<UserStatus> status) {
            return status.map(UserStatus::name).orElse("no user");
        }

        @GetMapping({"/public/id", "/open/id"})
        String id(@CurrentUser long id, @Me Optional<Long> same) {
            return id + "=" + same.orElseThrow();
        }

        @GetMapping("/public/badges")
        String badges(@CurrentUser Badges badges) {
            return "karma " + badges.karma();
        }

        @GetMapping("/public/list")
        String list(@CurrentUser Optional<StringBuilder> me) {
            return String.valueOf(me);
        }

        @GetMapping({"/secret", "/secret/{more}", "/leave"})
        String secret() {
            return "secret";
        }

        @GetMapping("/public/broken")
        String broken() {
            return String.valueOf(profiles.find(CARL));
        }

        @GetMapping("/async")
        Callable<String> async() {
            return () -> "later";
        }

        @GetMapping("/stream")
        StreamingResponseBody stream() {
            return body -> body.write("streamed".getBytes(StandardCharsets.UTF_8));
        }

        @GetMapping("/open/dispatch")
        void dispatch(HttpServletRequest request) {
            request.startAsync().dispatch("/secret");
        }

        @GetMapping("/open/forward")
        void forward(HttpServletRequest request, HttpServletResponse response) throws ServletException, IOException {
            request.getRequestDispatcher("/secret").forward(request, response);
        }

        @GetMapping("/open/fail")
        void fail(HttpServletResponse response) throws IOException {
            response.sendError(418);
        }
    }
}
