@NullMarked
package dev.usher.server.web;

import org.jspecify.annotations.NullMarked;
