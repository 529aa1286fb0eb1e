# openapi.yaml becomes JSON at build time, and JSON becomes a constant:
# openapi_json_bytes, openapi_json_len. The converter reads the part of YAML that
# openapi.yaml uses and fails on anything else. Examples come from a file of their own, which
# tests/support/record_examples.py makes of real answers.
add_executable(openapi_json ${CMAKE_SOURCE_DIR}/web-api/openapi_json_main.c
                            ${CMAKE_SOURCE_DIR}/web-api/openapi_examples.c)
target_link_libraries(openapi_json PRIVATE proto PkgConfig::JANSSON)

set(KF_WEB_EMBEDDED ${CMAKE_BINARY_DIR}/generated/openapi_json.c)
add_custom_command(
    OUTPUT ${KF_WEB_EMBEDDED}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/generated
    COMMAND openapi_json ${CMAKE_SOURCE_DIR}/web-api/openapi.yaml
            ${CMAKE_SOURCE_DIR}/web-api/openapi_examples.json ${KF_WEB_EMBEDDED} ${PROJECT_VERSION}
    DEPENDS openapi_json ${CMAKE_SOURCE_DIR}/web-api/openapi.yaml
            ${CMAKE_SOURCE_DIR}/web-api/openapi_examples.json
    VERBATIM)
