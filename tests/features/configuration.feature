Feature: Configuration
  A node finds its settings by itself, says where each comes from, and starts even if some of them are wrong.

  Scenario: Load the default configuration
    Given a machine with 3 cores and no configuration file
    When the configuration is loaded
    Then scheduler.max_running_tasks is 6
    And it comes from the default
    And nothing is wrong

  Scenario: Load an existing configuration
    Given a file ~/.dms/dms_config.yaml
      """
      scheduler:
        max_running_tasks: 3
      """
    When the configuration is loaded
    Then scheduler.max_running_tasks is 3
    And it comes from the main file

  Scenario: Load an existing configuration in JSON with comments
    Given a file ~/.dms/dms_config.jsonc
      """
      {
        // few, since the board is small
        "scheduler": {"max_running_tasks": 3,},
      }
      """
    When the configuration is loaded
    Then scheduler.max_running_tasks is 3

  Scenario: Restore the default configuration
    Given a machine with 3 cores
    And a file ~/.dms/dms_config.yaml
      """
      scheduler:
        max_running_tasks: 3
      """
    And the configuration was loaded
    When the file is taken away
    And the configuration is loaded
    Then scheduler.max_running_tasks is 6
    And it is the same as the default configuration

  Scenario: A mistake costs no more than its own key
    Given a file ~/.dms/dms_config.yaml
      """
      general:
        host_city: Oulu
      shutdown:
        timeout: soon
      """
    When the configuration is loaded
    Then shutdown.timeout is 9s
    And general.host_city is Oulu
    And at line 4, column 12 "shutdown.timeout" is wrong

  Scenario: The environment goes over the file
    Given a file ~/.dms/dms_config.yaml
      """
      general:
        host_city: Oulu
      """
    And the variable DMS_GENERAL__HOST_CITY is Turku
    When the configuration is loaded
    Then general.host_city is Turku
    And it comes from the environment
