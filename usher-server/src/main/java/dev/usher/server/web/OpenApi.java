package dev.usher.server.web;

import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import dev.usher.UserProfile;
import dev.usher.UserStatus;
import dev.usher.server.problem.Problem;
import dev.usher.server.problem.ProblemType;
import dev.usher.server.problem.Problems;
import dev.usher.server.token.PublishedKeys;
import dev.usher.server.token.Session;
import dev.usher.server.token.SigningKeys;
import dev.usher.server.token.TokenPair;
import dev.usher.server.user.CachedUser;
import dev.usher.server.user.Confirms;
import dev.usher.server.user.GrantPatch;
import dev.usher.server.user.Grants;
import dev.usher.server.user.MayBeStale;
import dev.usher.server.user.ProfileField;
import dev.usher.server.user.ProfilePatch;
import dev.usher.server.user.Receipt;
import dev.usher.server.user.Registration;
import dev.usher.server.user.UserId;
import dev.usher.server.user.UserView;
import dev.usher.spring.CacheView;
import io.swagger.v3.core.converter.ModelConverters;
import io.swagger.v3.core.jackson.ModelResolver;
import io.swagger.v3.oas.models.Components;
import io.swagger.v3.oas.models.OpenAPI;
import io.swagger.v3.oas.models.Operation;
import io.swagger.v3.oas.models.headers.Header;
import io.swagger.v3.oas.models.info.Info;
import io.swagger.v3.oas.models.media.Content;
import io.swagger.v3.oas.models.media.MediaType;
import io.swagger.v3.oas.models.media.Schema;
import io.swagger.v3.oas.models.responses.ApiResponse;
import io.swagger.v3.oas.models.security.SecurityRequirement;
import io.swagger.v3.oas.models.security.SecurityScheme;
import io.swagger.v3.oas.models.servers.Server;
import java.math.BigDecimal;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.springdoc.core.customizers.OpenApiCustomizer;
import org.springdoc.core.customizers.OperationCustomizer;
import org.springdoc.core.providers.ObjectMapperProvider;
import org.springdoc.core.utils.SpringDocUtils;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.http.HttpHeaders;
import org.springframework.web.method.HandlerMethod;

/**
 * The OpenAPI document: what springdoc reads off the controllers, and what all operations have in common. {@code OpenApiIT} compares the server
 * with it.
 */
@Configuration(proxyBeanMethods = false)
class OpenApi {

    private static final String BEARER = "bearer";
    private static final String SCHEMAS = "#/components/schemas/";

    /** Properties that an answer may lack. */
    private static final List<String> OPTIONAL = List.of(
            "Problem.errors",
            "CacheView.slot",
            "CacheView.primary",
            "CacheView.shared_ttl",
            "CacheView.guard_ttl",
            "Holding.value",
            "Holding.reason",
            "Receipt.status",
            "Receipt.roles",
            "Receipt.reason",
            "Receipt.redis_error",
            "Receipt.missing",
            "Session.address");

    private static final List<Class<?>> ANSWERS = List.of(
            Problem.class,
            TokenPair.class,
            UserView.class,
            Receipt.class,
            CachedUser.class,
            PublishedKeys.class,
            SigningKeys.Next.class,
            Session.class);

    OpenApi() {
        SpringDocUtils.getConfig()
                .replaceWithSchema(
                        UserId.class,
                        of("integer")
                                .format("int64")
                                .minimum(BigDecimal.ONE)
                                .maximum(BigDecimal.valueOf(Long.MAX_VALUE)));
    }

    @Bean
    OpenAPI openApiBase() {
        return new OpenAPI()
                .info(new Info()
                        .title("usher")
                        .version("1")
                        .description("A user service: registration, login, tokens, profiles, statuses and their"
                                + " administration. Errors are application/problem+json (RFC 9457)."))
                // Not the address of the request, which the caller chooses by the header Host.
                .addServersItem(new Server().url("/"))
                .components(new Components()
                        .addSecuritySchemes(
                                BEARER,
                                new SecurityScheme()
                                        .type(SecurityScheme.Type.HTTP)
                                        .scheme("bearer")
                                        .bearerFormat("JWT")
                                        .description(
                                                "The token of a login. It is honoured until expires_in seconds have"
                                                        + " passed, and for clocks that differ a few seconds longer: 5, unless"
                                                        + " usher.server.clock-skew says otherwise.")));
    }

    /** Uses the names that the server's own mapper writes. */
    @Bean
    ModelResolver modelResolver(ObjectMapperProvider mappers) {
        ModelResolver resolver = new ModelResolver(
                mappers.jsonMapper().copy().setPropertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE));
        return resolver.openapi31(mappers.isOpenapi31());
    }

    @Bean
    OperationCustomizer problemsAndHeaders() {
        return (operation, method) -> {
            boolean open =
                    operation.getSecurity() != null && operation.getSecurity().isEmpty();
            if (!open) {
                operation.addSecurityItem(new SecurityRequirement().addList(BEARER));
            }
            MayBeStale stale = method.getMethodAnnotation(MayBeStale.class);
            if (stale != null) {
                operation.getResponses().values().forEach(OpenApi::mayBeStale);
            }
            if (method.hasMethodAnnotation(Confirms.class)) {
                operation
                        .getResponses()
                        .values()
                        .forEach(response -> header(
                                response,
                                Confirms.HEADER,
                                "boolean",
                                "Whether no node honours what has ended any more. Otherwise each node that Redis answers"
                                        + " refuses it within a second."));
            }
            problems(operation, method, open).forEach((status, types) -> {
                ApiResponse response = response(types);
                if (stale != null && status == 404) {
                    mayBeStale(response);
                }
                operation.getResponses().addApiResponse(Integer.toString(status), response);
            });
            return operation;
        };
    }

    @Bean
    OpenApiCustomizer schemas() {
        return document -> {
            Components components = document.getComponents();
            ANSWERS.forEach(
                    type -> ModelConverters.getInstance(true).readAll(type).forEach(components::addSchemas));
            ModelConverters.getInstance(true).readAll(UserProfile.class).forEach(components::addSchemas);
            components.addSchemas(
                    ProfilePatch.class.getSimpleName(), patch(schema(components, Registration.class), false));
            ModelConverters.getInstance(true)
                    .readAll(Grants.class)
                    .forEach((name, rules) ->
                            components.addSchemas(GrantPatch.class.getSimpleName(), patch(rules, true)));
            schema(components, CacheView.Holding.class).addProperty("value", shownValue());
            components.getSchemas().forEach(OpenApi::refine);
        };
    }

    private static Schema<?> schema(Components components, Class<?> type) {
        return Objects.requireNonNull(components.getSchemas().get(type.getSimpleName()));
    }

    private static Map<Integer, List<ProblemType>> problems(Operation operation, HandlerMethod method, boolean open) {
        Stream.Builder<ProblemType> types = Stream.builder();
        types.add(ProblemType.MALFORMED_REQUEST)
                .add(ProblemType.REQUEST_TIMEOUT)
                .add(ProblemType.BODY_TOO_LARGE)
                .add(ProblemType.UNAVAILABLE);
        if (operation.getParameters() != null || operation.getRequestBody() != null) {
            types.add(ProblemType.INVALID_FIELD);
        }
        if (operation.getRequestBody() != null) {
            types.add(ProblemType.UNSUPPORTED_MEDIA_TYPE);
        }
        if (operation.getResponses().values().stream().anyMatch(response -> response.getContent() != null)) {
            types.add(ProblemType.NOT_ACCEPTABLE);
        }
        if (!open) {
            types.add(ProblemType.UNAUTHENTICATED)
                    .add(ProblemType.ACCOUNT_DISABLED)
                    .add(ProblemType.NOT_A_USER);
        }
        Problems own = method.getMethodAnnotation(Problems.class);
        Stream<ProblemType> all = own == null ? types.build() : Stream.concat(types.build(), Stream.of(own.value()));
        return all.collect(Collectors.groupingBy(type -> type.status().value(), TreeMap::new, Collectors.toList()));
    }

    private static ApiResponse response(List<ProblemType> types) {
        Schema<?> kinds = new Schema<>()
                .addProperty(
                        "type",
                        oneOf(types.stream().map(type -> type.uri().toString()).toList()));
        ApiResponse response = new ApiResponse()
                .description(types.stream().map(ProblemType::title).collect(Collectors.joining(" Or: ")))
                .content(new Content()
                        .addMediaType(
                                org.springframework.http.MediaType.APPLICATION_PROBLEM_JSON_VALUE,
                                new MediaType()
                                        .schema(new Schema<>()
                                                .allOf(List.of(new Schema<>().$ref(SCHEMAS + "Problem"), kinds)))));
        if (types.contains(ProblemType.UNAUTHENTICATED)) {
            header(response, HttpHeaders.WWW_AUTHENTICATE, "string", "The scheme: Bearer.");
        }
        if (types.stream()
                .anyMatch(type -> type == ProblemType.UNAVAILABLE
                        || type == ProblemType.TOO_MANY_ATTEMPTS
                        || type == ProblemType.TOO_MANY_READS)) {
            header(response, HttpHeaders.RETRY_AFTER, "integer", "In how many seconds to try again.");
        }
        return response;
    }

    private static void mayBeStale(ApiResponse response) {
        header(
                response,
                HttpHeaders.AGE,
                "integer",
                "Only of an answer that is the last known one, because the source was unavailable: how many seconds ago it was"
                        + " last known to be true.");
        header(response, "Cache-Status", "string", "With Age: that the source was unavailable (RFC 9211).");
    }

    private static void header(ApiResponse response, String name, String type, String description) {
        response.addHeaderObject(name, new Header().description(description).schema(of(type)));
    }

    /** The fields that users change, or those that are granted, with null where a field can be removed. */
    private static Schema<?> patch(Schema<?> rules, boolean isGrant) {
        Schema<?> patch = of("object").description("A JSON merge patch (RFC 7396) of a profile.");
        for (ProfileField field : ProfileField.values()) {
            if (field.isGranted() == isGrant) {
                Schema<?> rule = rules.getProperties().get(field.json());
                patch.addProperty(
                        field.json(),
                        field == ProfileField.NAME ? rule : new Schema<>().anyOf(List.of(rule, of("null"))));
            }
        }
        return patch;
    }

    private static Schema<?> shownValue() {
        List<String> statuses =
                Stream.of(UserStatus.values()).map(UserStatus::name).toList();
        return new Schema<>()
                .oneOf(List.of(new Schema<>().$ref(SCHEMAS + "UserProfile"), oneOf(lowerCase(statuses))))
                .description("A profile with the mobile number masked, or a status.");
    }

    /** Adds what springdoc cannot know. */
    private static void refine(String name, Schema<?> schema) {
        Map<String, Schema<?>> properties = new LinkedHashMap<>();
        if (schema.getProperties() != null) {
            schema.getProperties().forEach(properties::put);
        }
        properties.values().forEach(OpenApi::refine);
        boolean answered =
                ANSWERS.stream().anyMatch(type -> type.getSimpleName().equals(name))
                        || List.of("Field", "CacheView", "Holding", "Key").contains(name);
        if (answered) {
            schema.setRequired(properties.keySet().stream()
                    .filter(property -> !OPTIONAL.contains(name + "." + property))
                    .toList());
            schema.setAdditionalProperties(false);
        }
    }

    private static void refine(Schema<?> property) {
        // A repeated element counts once.
        property.setUniqueItems(null);
        if (property.getPattern() != null && !property.getPattern().startsWith("^")) {
            property.setPattern("^(?:" + property.getPattern() + ")$");
        }
        if (property.getEnum() != null) {
            @SuppressWarnings("unchecked")
            Schema<Object> texts = (Schema<Object>) property;
            texts.setEnum(List.copyOf(lowerCase(property.getEnum())));
        }
    }

    /** As OpenAPI 3.1 has it: swagger's models leave out their single type there. */
    private static Schema<?> of(String type) {
        return new Schema<>().types(Set.of(type));
    }

    private static Schema<?> oneOf(List<String> texts) {
        Schema<String> schema = new Schema<>();
        schema.types(Set.of("string"));
        schema.setEnum(texts);
        return schema;
    }

    private static List<String> lowerCase(List<?> names) {
        return names.stream()
                .map(name -> name.toString().toLowerCase(Locale.ROOT))
                .toList();
    }
}
