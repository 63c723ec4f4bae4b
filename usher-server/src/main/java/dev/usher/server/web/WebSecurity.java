package dev.usher.server.web;

import dev.usher.UserCache;
import dev.usher.server.UsherServerProperties;
import dev.usher.server.problem.ProblemType;
import dev.usher.server.token.Access;
import dev.usher.server.token.AccessTokens;
import dev.usher.server.token.Roles;
import jakarta.servlet.DispatcherType;
import java.time.InstantSource;
import org.springframework.boot.actuate.autoconfigure.web.server.ManagementPortType;
import org.springframework.boot.security.autoconfigure.actuate.web.servlet.EndpointRequest;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.env.Environment;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpMethod;
import org.springframework.security.authentication.AuthenticationServiceException;
import org.springframework.security.config.ObjectPostProcessor;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.config.annotation.web.configurers.AbstractHttpConfigurer;
import org.springframework.security.config.http.SessionCreationPolicy;
import org.springframework.security.config.observation.SecurityObservationSettings;
import org.springframework.security.crypto.factory.PasswordEncoderFactories;
import org.springframework.security.crypto.password.PasswordEncoder;
import org.springframework.security.oauth2.jwt.JwtDecoder;
import org.springframework.security.oauth2.server.resource.web.BearerTokenResolver;
import org.springframework.security.oauth2.server.resource.web.DefaultBearerTokenResolver;
import org.springframework.security.oauth2.server.resource.web.authentication.BearerTokenAuthenticationFilter;
import org.springframework.security.web.AuthenticationEntryPoint;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.security.web.access.AccessDeniedHandler;
import org.springframework.security.web.access.intercept.AuthorizationFilter;
import org.springframework.security.web.firewall.RequestRejectedHandler;
import org.springframework.security.web.header.HeaderWriterFilter;
import org.springframework.security.web.header.writers.ReferrerPolicyHeaderWriter.ReferrerPolicy;
import org.springframework.security.web.servlet.util.matcher.PathPatternRequestMatcher;
import org.springframework.security.web.util.matcher.OrRequestMatcher;
import org.springframework.security.web.util.matcher.RequestMatcher;

/**
 * Authentication and authorization. Callers are known by their bearer token alone, so there are neither sessions nor CSRF tokens. The starter's
 * status gate refuses disabled users; {@link AccessGate} refuses tokens that have ended, and says which roles the caller has.
 */
@Configuration(proxyBeanMethods = false)
class WebSecurity {

    /** Calls that need no token, and ignore one that is sent, which may have expired. */
    private static final RequestMatcher WITHOUT_TOKEN = new OrRequestMatcher(
            PathPatternRequestMatcher.pathPattern(HttpMethod.POST, "/v1/users"),
            PathPatternRequestMatcher.pathPattern(HttpMethod.GET, "/v3/api-docs"),
            PathPatternRequestMatcher.pathPattern("/.well-known/jwks.json"),
            PathPatternRequestMatcher.pathPattern("/v1/login"),
            PathPatternRequestMatcher.pathPattern("/v1/token/refresh"));

    private static final String BEARER = "Bearer ";

    @Bean
    SecurityFilterChain filterChain(
            HttpSecurity http,
            AccessTokens tokens,
            UserCache<Long, Access> accesses,
            ProblemResponses problems,
            Environment environment) {
        AuthenticationEntryPoint unauthenticated =
                (request, response, e) -> problems.send(response, ProblemType.UNAUTHENTICATED);
        AccessDeniedHandler forbidden = (request, response, e) -> problems.send(response, ProblemType.FORBIDDEN);
        return http.authorizeHttpRequests(requests -> requests.dispatcherTypeMatchers(DispatcherType.ERROR)
                        .permitAll()
                        .requestMatchers(WITHOUT_TOKEN)
                        .permitAll()
                        // They show details to administrators, so a token is read.
                        .requestMatchers(EndpointRequest.to(openEndpoints(environment)))
                        .permitAll()
                        .requestMatchers(EndpointRequest.toAnyEndpoint())
                        .hasRole(Roles.ADMIN)
                        .requestMatchers("/v1/admin/**", "/actuator/**")
                        .hasRole(Roles.ADMIN)
                        .anyRequest()
                        .authenticated())
                .oauth2ResourceServer(server -> server.withObjectPostProcessor(unverifiableTokens(problems))
                        .bearerTokenResolver(callersToken())
                        .jwt(jwt ->
                                jwt.decoder(tokens.decoder()).jwtAuthenticationConverter(AccessTokens.authorities()))
                        .authenticationEntryPoint(unauthenticated)
                        .accessDeniedHandler(forbidden))
                .exceptionHandling(errors ->
                        errors.authenticationEntryPoint(unauthenticated).accessDeniedHandler(forbidden))
                .headers(headers -> headers.contentSecurityPolicy(
                                policy -> policy.policyDirectives("default-src 'none'; frame-ancestors 'none'"))
                        .referrerPolicy(policy -> policy.policy(ReferrerPolicy.NO_REFERRER)))
                .addFilterAfter(new BodyLimit(problems), HeaderWriterFilter.class)
                .addFilterAfter(new QueryInUtf8(problems), HeaderWriterFilter.class)
                .addFilterAfter(new ScrapeInText(), HeaderWriterFilter.class)
                // Behind the status gate, which stands there already.
                .addFilterBefore(new AccessGate(accesses, problems), AuthorizationFilter.class)
                .sessionManagement(sessions -> sessions.sessionCreationPolicy(SessionCreationPolicy.STATELESS))
                .requestCache(AbstractHttpConfigurer::disable)
                .csrf(AbstractHttpConfigurer::disable)
                .formLogin(AbstractHttpConfigurer::disable)
                .httpBasic(AbstractHttpConfigurer::disable)
                .logout(AbstractHttpConfigurer::disable)
                .build();
    }

    @Bean
    JwtDecoder jwtDecoder(AccessTokens tokens) {
        return tokens.decoder();
    }

    /** Observed, each call starts and stops a timer for each of a dozen filters, for its authentication and for its authorization. */
    @Bean
    SecurityObservationSettings securityObservationSettings(UsherServerProperties properties) {
        return properties.securityObservations()
                ? SecurityObservationSettings.withDefaults()
                        .shouldObserveRequests(true)
                        .build()
                : SecurityObservationSettings.noObservations();
    }

    @Bean
    PasswordEncoder passwordEncoder() {
        return PasswordEncoderFactories.createDelegatingPasswordEncoder();
    }

    @Bean
    RequestRejectedHandler requestRejectedHandler(ProblemResponses problems) {
        return (request, response, e) -> problems.send(response, ProblemType.MALFORMED_REQUEST);
    }

    @Bean
    InstantSource clock() {
        return InstantSource.system();
    }

    /** A scraper cannot log in, and need not on a port of its own, which few clients reach. */
    private static String[] openEndpoints(Environment environment) {
        return ManagementPortType.get(environment) == ManagementPortType.DIFFERENT
                ? new String[] {"health", "prometheus"}
                : new String[] {"health"};
    }

    /** A token that cannot be verified now is answered with 503, not refused: the caller may try again with it. */
    private static ObjectPostProcessor<BearerTokenAuthenticationFilter> unverifiableTokens(ProblemResponses problems) {
        return new ObjectPostProcessor<>() {
            @Override
            public <O extends BearerTokenAuthenticationFilter> O postProcess(O filter) {
                filter.setAuthenticationFailureHandler((request, response, e) -> problems.send(
                        response,
                        e instanceof AuthenticationServiceException
                                ? ProblemType.UNAVAILABLE
                                : ProblemType.UNAUTHENTICATED));
                return filter;
            }
        };
    }

    private static BearerTokenResolver callersToken() {
        BearerTokenResolver any = new DefaultBearerTokenResolver();
        return request -> {
            if (WITHOUT_TOKEN.matches(request)) {
                return null;
            }
            String header = request.getHeader(HttpHeaders.AUTHORIZATION);
            // Spring's resolver would answer the same, by a regular expression that takes longer than all else that is
            // done with a known token.
            return header != null && header.startsWith(BEARER) && isOfTokens(header, BEARER.length())
                    ? header.substring(BEARER.length())
                    : any.resolve(request);
        };
    }

    /** Whether a text has only characters of a JWT from some place on, and at least one. */
    private static boolean isOfTokens(String text, int from) {
        for (int i = from; i < text.length(); i++) {
            char c = text.charAt(i);
            boolean isOfTokens = (c >= 'a' && c <= 'z')
                    || (c >= 'A' && c <= 'Z')
                    || (c >= '0' && c <= '9')
                    || c == '-'
                    || c == '_'
                    || c == '.';
            if (!isOfTokens) {
                return false;
            }
        }
        return text.length() > from;
    }
}
