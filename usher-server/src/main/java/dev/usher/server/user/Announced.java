package dev.usher.server.user;

import io.swagger.v3.oas.annotations.headers.Header;
import io.swagger.v3.oas.annotations.media.Schema;
import io.swagger.v3.oas.annotations.responses.ApiResponse;
import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/** Documents an operation that changes a profile, and says whether the change is announced to the other nodes. */
@ApiResponse(
        responseCode = "200",
        description = "Changed",
        headers = {
            @Header(
                    name = "Cache-Status",
                    description =
                            "Whether Redis has taken the announcement of the change (RFC 9211): detail=invalidated or"
                                    + " detail=invalidation-pending. Not there when nothing was changed.",
                    schema = @Schema(type = "string")),
            @Header(
                    name = ProfileChange.VISIBLE_WITHIN,
                    description =
                            "Within how many seconds every node shows the change; not there when the announcement is"
                                    + " pending.",
                    schema = @Schema(type = "integer"))
        })
@Documented
@Target(ElementType.METHOD)
@Retention(RetentionPolicy.RUNTIME)
@interface Announced {}
