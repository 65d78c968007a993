package control

import (
	"strconv"
	"strings"

	model "weir/internal/awsapi/kinesisvideo"
	"weir/internal/awsserve"
)

// Limits of image generation that the model does not have.
const (
	minSamplingInterval = 200 // milliseconds
	maxJPEGQuality      = 100
)

// updateImageGenerationConfiguration answers
// UpdateImageGenerationConfiguration. A request without a configuration
// deletes it.
func (a *API) updateImageGenerationConfiguration(c *awsserve.Call, in *model.UpdateImageGenerationConfigurationInput) (*model.UpdateImageGenerationConfigurationOutput, error) {
	found, err := a.onStream(c, in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	var document []byte
	if config := in.ImageGenerationConfiguration; config != nil {
		if err := a.checkImages(config); err != nil {
			return nil, err
		}
		if document, err = writeDocument(config); err != nil {
			return nil, err
		}
	}
	_, err = a.change(c, found, nil, func(s *Stream) error {
		if document != nil && !s.Persisted() {
			return noDataRetention(s.Name)
		}
		s.Attributes.ImageGeneration = document
		return nil
	})
	return &model.UpdateImageGenerationConfigurationOutput{}, err
}

func (a *API) checkImages(config *model.ImageGenerationConfiguration) error {
	d := config.DestinationConfig
	if !strings.HasPrefix(*d.Uri, "s3://") {
		return invalid("DestinationConfig.Uri must be that of a bucket, s3://BUCKET/PREFIX, not %s.", *d.Uri)
	}
	if *d.DestinationRegion != a.place.region {
		return invalid("DestinationRegion must be the region of the stream, %s.", a.place.region)
	}
	if *config.SamplingInterval < minSamplingInterval {
		return invalid("SamplingInterval must be at least %d milliseconds.", minSamplingInterval)
	}
	quality, ok := config.FormatConfig[model.FormatConfigKeyJPEGQuality]
	if !ok {
		return nil
	}
	if *config.Format != model.FormatJpeg {
		return invalid("JPEGQuality is for the format JPEG only.")
	}
	if n, err := strconv.Atoi(quality); err != nil || n < 1 || n > maxJPEGQuality {
		return invalid("JPEGQuality must be between 1 and %d.", maxJPEGQuality)
	}
	return nil
}
