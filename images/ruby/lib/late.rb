require "forwardable"
require "ostruct"

module Late
  def self.say = OpenStruct.new(word: "late").word.upcase.unicode_normalize(:nfd)
end
