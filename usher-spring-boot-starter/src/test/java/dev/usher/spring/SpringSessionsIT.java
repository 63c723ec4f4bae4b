package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.RevokedUsers;
import dev.usher.UserSource;
import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import dev.usher.spring.LiveApplication.Users;
import java.net.CookieManager;
import java.net.http.HttpClient;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.security.config.Customizer;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.userdetails.User;
import org.springframework.security.core.userdetails.UserDetailsService;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.session.FindByIndexNameSessionRepository;
import org.springframework.session.jdbc.config.annotation.web.http.EnableJdbcHttpSession;

/** The sessions of a user, in a store that nodes share, are deleted when the user is revoked. */
@Timeout(60)
class SpringSessionsIT {

    private static LiveSite site;

    private final long ann = LiveSite.newUser();
    private final long bob = LiveSite.newUser();

    @BeforeAll
    static void start() {
        site = LiveSite.start(
                SessionApplication.class,
                "spring.sql.init.schema-locations=classpath:org/springframework/session/jdbc/schema-h2.sql");
    }

    @AfterAll
    static void stop() {
        site.close();
    }

    /** Users log in by a form. The name of a principal is {@code user-} and the id. */
    @Configuration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    @EnableJdbcHttpSession
    @Import(LiveApplication.Streams.class)
    static class SessionApplication {

        @Bean
        Users users() {
            return new Users();
        }

        @Bean
        UserSource<Long, UserStatus> statuses(Users users) {
            return ids -> {
                Map<Long, UserStatus> loaded = new HashMap<>();
                ids.forEach(id -> loaded.put(id, users.statuses.getOrDefault(id, UserStatus.ENABLED)));
                return loaded;
            };
        }

        @Bean
        UserDetailsService anyName() {
            return name -> User.withUsername(name)
                    .password("{noop}" + LiveApplication.PASSWORD)
                    .build();
        }

        @Bean
        CurrentUserId<Long> currentUserId() {
            return authentication ->
                    Optional.of(Long.valueOf(authentication.getName().replaceAll("^(user|twin)-", "")));
        }

        @Bean
        PrincipalNames<Long> principalNames() {
            return id -> List.of("user-" + id, "twin-" + (id + 1));
        }

        @Bean
        SecurityFilterChain pages(HttpSecurity http) {
            return http.authorizeHttpRequests(requests -> requests.anyRequest().authenticated())
                    .formLogin(Customizer.withDefaults())
                    .csrf(csrf -> csrf.disable())
                    .build();
        }
    }

    @Test
    void theSessionsOfARevokedUserAreDeletedAndNoOthers() throws Exception {
        HttpClient first = login("user-" + ann);
        HttpClient second = login("user-" + ann);
        HttpClient other = login("user-" + bob);
        assertThat(hello(first)).isEqualTo(200);
        assertThat(sessionsOf("user-" + ann)).isEqualTo(2);

        site.ban(ann);

        assertThat(sessionsOf("user-" + ann)).isZero();
        assertThat(hello(other)).isEqualTo(200);
        site.enable(ann);
        assertThat(hello(first)).isEqualTo(302);
        assertThat(hello(second)).isEqualTo(302);
        assertThat(hello(other)).isEqualTo(200);
    }

    /** As usher calls it before this node confirms; afterwards nothing is left to do. */
    @Test
    void theListenerDeletesAndCountsTheSessionsOfThoseThatThisNodeRevokes() throws Exception {
        HttpClient client = login("user-" + ann);
        assertThat(hello(login("user-" + ann))).isEqualTo(200);
        disableElsewhere();
        @SuppressWarnings("unchecked")
        Runnable afterwards = site.bean(SpringSessions.class).revoking(List.of(ann, bob));

        assertThat(site.tell(RevokedUsers.of("status", List.of(ann)))).isEqualTo(2);
        assertThat(site.tell(RevokedUsers.of("status", List.of(ann)))).isZero();

        afterwards.run();
        site.enable(ann);
        assertThat(hello(client)).isEqualTo(302);
        assertThat(site.tell(RevokedUsers.everyone())).isZero();
    }

    @Test
    void aUserThatMayStillActKeepsItsSessions() throws Exception {
        HttpClient client = login("user-" + ann);

        site.enable(ann);

        assertThat(hello(client)).isEqualTo(200);
    }

    /** A name of a principal can be that of another user. */
    @Test
    void aSessionOfAnotherUserIsKeptWhateverItsName() throws Exception {
        HttpClient other = login("twin-" + bob);

        site.ban(bob - 1);

        assertThat(hello(other)).isEqualTo(200);
    }

    /** A service that has no sessions may have banned the user. */
    @Test
    void aSessionInWhichADisabledUserComesIsEnded() throws Exception {
        HttpClient client = login("user-" + ann);
        disableElsewhere();

        assertThat(hello(client)).isEqualTo(403);

        assertThat(sessionsOf("user-" + ann)).isZero();
        site.enable(ann);
        assertThat(hello(client)).isEqualTo(302);
    }

    private void disableElsewhere() {
        site.bean(Users.class).statuses.put(ann, UserStatus.DISABLED);
        @SuppressWarnings("unchecked")
        UserStatusCache<Long> statuses = site.bean(UserStatusCache.class);
        statuses.invalidate(ann);
    }

    private static int sessionsOf(String name) {
        return site.bean(FindByIndexNameSessionRepository.class)
                .findByPrincipalName(name)
                .size();
    }

    private static HttpClient login(String name) throws Exception {
        HttpClient client =
                HttpClient.newBuilder().cookieHandler(new CookieManager()).build();
        int status = client.send(
                        site.request("/login", null)
                                .header("Content-Type", "application/x-www-form-urlencoded")
                                .POST(BodyPublishers.ofString(
                                        "username=" + name + "&password=" + LiveApplication.PASSWORD.replace(" ", "+")))
                                .build(),
                        BodyHandlers.ofString())
                .statusCode();
        assertThat(status).isEqualTo(302);
        return client;
    }

    private static int hello(HttpClient client) throws Exception {
        return client.send(site.request("/hello", null).build(), BodyHandlers.ofString())
                .statusCode();
    }
}
