# embed.cmake - sql/queries/*.sql and sql/migrations/*.sql as C string constants.
#
# Makes generated/sql/embedded.h and embedded.c: sql_query_<name> for each statement,
# the table sql_queries[] of all of them, and the table sql_migrations[] in the order of
# the numbers. Included by the top CMakeLists.txt (then it sets KF_SQL_EMBEDDED), and run
# again as a script at build time whenever a .sql changed.

if(CMAKE_SCRIPT_MODE_FILE)
    function(c_literal file ret_literal)
        file(READ ${file} text)
        string(REPLACE "\\" "\\\\" text "${text}")
        string(REPLACE "\"" "\\\"" text "${text}")
        string(REPLACE "\n" "\\n\"\n    \"" text "${text}")
        set(${ret_literal} "\"${text}\"" PARENT_SCOPE)
    endfunction()

    file(GLOB queries ${SOURCE_DIR}/queries/*.sql)
    file(GLOB migrations ${SOURCE_DIR}/migrations/*.sql)
    list(SORT queries)
    list(SORT migrations)

    set(header "/* Made by sql/embed.cmake. */\n#pragma once\n\n#include \"sql/store.h\"\n\n")
    set(source "/* Made by sql/embed.cmake. */\n#include \"sql/embedded.h\"\n\n")
    foreach(file ${queries})
        get_filename_component(name ${file} NAME_WE)
        c_literal(${file} literal)
        string(APPEND header "extern const struct sql_text sql_query_${name};\n")
        string(APPEND source "const struct sql_text sql_query_${name} = {\"${name}\",\n    ${literal}};\n\n")
        string(APPEND rows "    &sql_query_${name},\n")
    endforeach()
    foreach(file ${migrations})
        get_filename_component(name ${file} NAME_WE)
        c_literal(${file} literal)
        string(APPEND migration_rows "    {\"${name}\",\n    ${literal}},\n")
    endforeach()
    string(APPEND header "\nextern const struct sql_text *const sql_queries[];\n"
                         "extern const int sql_query_count;\n"
                         "extern const struct sql_text sql_migrations[];\n"
                         "extern const int sql_migration_count;\n")
    string(APPEND source "const struct sql_text *const sql_queries[] = {\n${rows}};\n"
                         "const int sql_query_count = (int)(sizeof(sql_queries) / sizeof(sql_queries[0]));\n\n"
                         "const struct sql_text sql_migrations[] = {\n${migration_rows}};\n"
                         "const int sql_migration_count = (int)(sizeof(sql_migrations) / sizeof(sql_migrations[0]));\n")
    file(WRITE ${OUTPUT_DIR}/embedded.h "${header}")
    file(WRITE ${OUTPUT_DIR}/embedded.c "${source}")
    return()
endif()

set(embed_dir ${CMAKE_BINARY_DIR}/generated/sql)
file(GLOB embed_inputs CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/sql/queries/*.sql
                                         ${CMAKE_SOURCE_DIR}/sql/migrations/*.sql)
add_custom_command(
    OUTPUT ${embed_dir}/embedded.c ${embed_dir}/embedded.h
    COMMAND ${CMAKE_COMMAND} -DSOURCE_DIR=${CMAKE_SOURCE_DIR}/sql -DOUTPUT_DIR=${embed_dir}
            -P ${CMAKE_SOURCE_DIR}/sql/embed.cmake
    DEPENDS ${embed_inputs} ${CMAKE_SOURCE_DIR}/sql/embed.cmake
    COMMENT "Embedding sql/*.sql"
    VERBATIM)
set(KF_SQL_EMBEDDED ${embed_dir}/embedded.c ${embed_dir}/embedded.h)
# A statement may be longer than the 4095 bytes that C99 promises for a literal.
set_source_files_properties(${embed_dir}/embedded.c PROPERTIES COMPILE_OPTIONS -Wno-overlength-strings)
