/**
 * What all requests have in common: bodies and deadlines, security, errors as problems, the OpenAPI document, and the port of the actuator.
 */
@NullMarked
package dev.usher.server.web;

import org.jspecify.annotations.NullMarked;
